"""The database: SQLite in a file, or PostgreSQL; reading and writing transactions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, make_url

from limner.core.errors import LimnerError, SettingsError
from limner.storage import migrations

#: How long a SQLite connection waits for another that writes, milliseconds.
_BUSY = 30_000
#: Says to the hook below that a transaction is going to write, and how SQLite is to bring it to the disk.
_WRITE = "limner_write"
#: What is raised where a database has gone, is starting, is full, or has no connection to spare.
_UNUSABLE = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)


class StorageError(LimnerError):
    """The database or the blob store cannot be used."""

    code = "storage"


class Database:
    """A database at ``sqlite:///path``, a path, or ``postgresql://…``; nothing is opened before it is used."""

    def __init__(self, address: str | Path, *, pool_size: int = 10) -> None:
        self.url = _url(address)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if self.sqlite:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        pool = {"pool_size": pool_size, "max_overflow": 20, "pool_timeout": 30}
        self.engine = sa.create_engine(self.url, pool_pre_ping=not self.sqlite, **pool)
        self._hasty = self.engine
        if self.sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self._hasty = sa.create_engine(self.url, pool_pre_ping=True, **pool)
            event.listen(self._hasty, "connect", _prepare_hasty)

    @property
    def _file(self) -> Path:
        return Path(self.url.database or "")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; raises `StorageError` where the database cannot be used just now."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except _UNUSABLE as error:
            raise self._unusable(error) from error

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[Connection]:
        """A transaction that writes: all of it or, after an exception, nothing.

        What is not ``lasting`` may be gone after a power failure (never after that of a process), and
        is not waited for until it is on the disk. The next lasting transaction takes it along.
        Raises `StorageError` where the database cannot be used just now.
        """
        # SQLite must know beforehand: a reader that turns writer fails where another has written meanwhile.
        options = {_WRITE: "FULL" if lasting else "NORMAL"}
        engine = self.engine if lasting else self._hasty
        try:
            with engine.connect().execution_options(**options) as connection, connection.begin():
                yield connection
        except _UNUSABLE as error:
            raise self._unusable(error) from error

    def upgrade(self) -> None:
        """Create or migrate the tables; raises `StorageError` where that is not possible."""
        try:
            with self.write() as connection:
                migrations.upgrade(connection)
        except sa.exc.DBAPIError as error:
            raise self._unusable(error) from error

    def check(self) -> None:
        """Raises `StorageError` where the database cannot be reached or its tables are not those of this version."""
        with self.read() as connection:
            found = migrations.current(connection)
        if found != migrations.HEAD:
            raise StorageError(
                f"The tables in {self} are at version {found}, and this Limner needs {migrations.HEAD}.",
                hint="Start `limner serve` of this version once: it migrates them.",
            )

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self._hasty.dispose()

    def _unusable(self, error: sa.exc.SQLAlchemyError) -> StorageError:
        return StorageError(f"The database at {self} cannot be used: {_reason(error)}.")

    def __str__(self) -> str:
        """The address without its password."""
        return self.url.render_as_string(hide_password=True)


def insert_if_absent(c: Connection, table: sa.Table, values: Mapping[str, object]) -> None:
    """Insert a row unless one with its key is there."""
    # Loaded when it is the one in use: the other would take its time at every start.
    if c.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
    c.execute(insert(table).on_conflict_do_nothing(), [dict(values)])


def _url(address: str | Path) -> URL:
    if isinstance(address, Path) or "://" not in address:
        return URL.create("sqlite", database=str(Path(address).expanduser()))
    try:
        url = make_url(address)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise SettingsError("The database URL cannot be read.", hint=_FORMS) from error
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":
            return url
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
    raise SettingsError(f"A database of the kind {url.drivername!r} cannot be used.", hint=_FORMS)


_FORMS = "Write sqlite:///path/to/file.db or postgresql://user:password@host/name."


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection has no type
    # Transactions are begun by the hook below, not by the driver at the first statement that writes.
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", f"busy_timeout = {_BUSY}", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_hasty(connection: Any, _record: object) -> None:  # noqa: ANN401
    # As a statement: poolers refuse what they do not know among the options of a connection.
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    synchronous = connection.get_execution_options().get(_WRITE)
    if synchronous is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _reason(error: sa.exc.SQLAlchemyError) -> str:
    said = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return (str(said).strip() or type(said).__name__).splitlines()[0].rstrip(".")
