import threading
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from limner.core.errors import SettingsError
from limner.storage.database import Database, StorageError, insert_if_absent
from limner.storage.tables import QUEUES, TOKENS


def test_sqlite_is_in_wal_mode_waits_and_keeps_its_foreign_keys(tmp_path: Path) -> None:
    database = Database(tmp_path / "deep" / "limner.db")
    with database.read() as c:
        found = [
            c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "busy_timeout", "foreign_keys")
        ]
    database.close()
    assert found == ["wal", 30_000, 1]


def test_a_foreign_key_is_kept(database: Database) -> None:
    row = {"id": "t", "workspace_id": "nobody", "name": "", "hash": "h", "scopes": []}
    with pytest.raises(sa.exc.IntegrityError), database.write() as c:
        c.execute(TOKENS.insert().values(**row, created_at=sa.func.now()))


@pytest.mark.parametrize("lasting", [True, False])
def test_a_transaction_is_kept_whole_or_not_at_all(database: Database, lasting: bool) -> None:
    with database.write(lasting=lasting) as c:
        c.execute(QUEUES.insert(), {"name": "kept", "clock": 0})
    with suppress(ZeroDivisionError), database.write(lasting=lasting) as c:
        c.execute(QUEUES.insert(), {"name": "lost", "clock": 0})
        _ = 1 // 0
    with database.read() as c:
        assert c.execute(sa.select(QUEUES.c.name)).scalars().all() == ["kept"]


def test_only_what_must_last_is_waited_for(database: Database) -> None:
    setting = "PRAGMA synchronous" if database.sqlite else "SHOW synchronous_commit"
    with database.write(lasting=False) as c:
        assert c.exec_driver_sql(setting).scalar() in (1, "off")
    with database.write() as c:
        assert c.exec_driver_sql(setting).scalar() in (2, "on")


def test_a_reader_is_not_held_up_by_a_writer_and_sees_what_was_before(database: Database) -> None:
    with database.write() as writer:
        writer.execute(QUEUES.insert(), {"name": "new", "clock": 0})
        with database.read() as reader:
            assert reader.execute(sa.select(QUEUES)).all() == []
    with database.read() as reader:
        assert len(reader.execute(sa.select(QUEUES)).all()) == 1


def test_writers_take_turns_and_lose_nothing(database: Database) -> None:
    with database.write() as c:
        c.execute(QUEUES.insert(), {"name": "q", "clock": 0})

    def count() -> None:
        for _ in range(20):
            with database.write(lasting=False) as c:
                clock = c.execute(sa.select(QUEUES.c.clock).with_for_update()).scalar_one()
                c.execute(QUEUES.update().values(clock=clock + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as c:
        assert c.execute(sa.select(QUEUES.c.clock)).scalar_one() == 80


def test_insert_if_absent(database: Database) -> None:
    for clock in (1, 2):
        with database.write() as c:
            insert_if_absent(c, QUEUES, {"name": "q", "clock": clock})
    with database.read() as c:
        assert c.execute(sa.select(QUEUES.c.clock)).scalars().all() == [1]


@pytest.mark.parametrize(
    "address", ["mysql://x@y/z", "sqlite://", "sqlite:///:memory:", "://", "postgresql://h:port/x", "limner://x"]
)
def test_what_is_no_database_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="database"):
        Database(address)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_postgresql_is_reached_by_psycopg_and_its_password_not_shown(scheme: str) -> None:
    database = Database(f"{scheme}://me:secret@127.0.0.1:1/db")
    assert database.url.drivername == "postgresql+psycopg"
    assert "secret" not in str(database)
    for act in (database.upgrade, database.check):
        with pytest.raises(StorageError, match="cannot be") as caught:
            act()
        assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "limner.db").write_bytes(b"something else entirely, and long enough to be looked at" * 10)
    database = Database(tmp_path / "limner.db")
    with pytest.raises(StorageError, match="not a database"):
        database.upgrade()
    database.close()
