"""Bringing a database to the tables of this version, and back: Alembic, run from within."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

if TYPE_CHECKING:
    from alembic.config import Config

#: The newest revision. Known here, so that a start with nothing to migrate need not load Alembic.
HEAD = "0002"
#: Any number will do that nobody else uses.
_LOCK = 5_317_260_418


def current(connection: Connection) -> str | None:
    """The revision that a database is at; None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def upgrade(connection: Connection, to: str = "head") -> None:
    """Migrate upwards, within the connection's transaction; processes that start together wait for the first."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if current(connection) in (to, HEAD):
        return
    from alembic import command

    command.upgrade(config(connection), to)


def downgrade(connection: Connection, to: str = "base") -> None:
    """Migrate downwards, within the connection's transaction."""
    from alembic import command

    command.downgrade(config(connection), to)


def config(connection: Connection) -> Config:
    """Alembic's configuration for a connection."""
    from alembic.config import Config

    # It announces its plugins at the level of what an operator wants to know.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    out = Config()
    out.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    out.set_main_option("path_separator", "os")
    out.attributes["connection"] = connection
    return out
