import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from limner.storage import migrations
from limner.storage.database import Database, StorageError
from limner.storage.tables import METADATA


@pytest.fixture
def empty(database_url: str) -> Database:
    database = Database(database_url)
    yield database
    database.close()


def _tables(database: Database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names()) - {"alembic_version"}


def test_up_and_down_and_up_again(empty: Database) -> None:
    empty.upgrade()
    assert _tables(empty) == set(METADATA.tables)
    with empty.write() as connection:
        migrations.downgrade(connection)
    assert _tables(empty) == set()
    with empty.read() as connection:
        assert migrations.current(connection) is None
    empty.upgrade()
    assert _tables(empty) == set(METADATA.tables)


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(empty: Database) -> None:
    empty.upgrade()
    with empty.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_names_of_constraints_are_those_of_the_convention(empty: Database) -> None:
    empty.upgrade()
    inspector = sa.inspect(empty.engine)
    for table in METADATA.sorted_tables:
        assert inspector.get_pk_constraint(table.name)["name"] == f"pk_{table.name}"
        found = {key["name"] for key in inspector.get_foreign_keys(table.name)}
        assert found == {str(key.name) for key in table.foreign_key_constraints}


def test_head_is_the_newest_revision_there_is(empty: Database) -> None:
    with empty.write() as connection:
        script = ScriptDirectory.from_config(migrations.config(connection))
    assert script.get_heads() == [migrations.HEAD]


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    failures: list[Exception] = []
    databases = [Database(database_url) for _ in range(3)]

    def start(database: Database) -> None:
        try:
            database.upgrade()
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=start, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    databases[0].check()
    for database in databases:
        database.close()


def test_a_failed_migration_leaves_nothing_behind(empty: Database) -> None:
    with empty.write() as connection:
        connection.execute(sa.text("CREATE TABLE documents (id INTEGER)"))  # in the way of the last step
    with pytest.raises(StorageError, match=r"documents.* already exists"):
        empty.upgrade()
    assert _tables(empty) == {"documents"}


def test_check_tells_an_unmigrated_database(empty: Database) -> None:
    with pytest.raises(StorageError, match="version None"):
        empty.check()
    empty.upgrade()
    empty.check()


def test_nothing_to_migrate_does_not_load_alembic(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    empty.upgrade()
    monkeypatch.setattr(migrations, "config", lambda _: pytest.fail("Alembic was used"))
    empty.upgrade()
