import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.storage.database import Database
from limner.storage.tables import METADATA
from limner.storage.workspaces import Workspace, Workspaces
from tests import postgres


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "limner.db"
    database = Database(path)
    database.upgrade()
    database.close()
    return path


@pytest.fixture(scope="session")
def migrated_server(postgres_server: str) -> Iterator[Database]:
    """A migrated database on PostgreSQL, to be emptied after each use."""
    with postgres.database(postgres_server) as url:
        database = Database(url)
        database.upgrade()
        yield database
        database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty database: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        database = request.getfixturevalue("migrated_server")
        yield database
        with database.write() as c:
            c.exec_driver_sql(f"TRUNCATE {', '.join(METADATA.tables)} CASCADE")
        return
    shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "limner.db")
    database = Database(tmp_path / "limner.db")
    yield database
    database.close()


@pytest.fixture
def workspace(database: Database) -> Workspace:
    return Workspaces(database).create("Library")


@pytest.fixture
def other(database: Database) -> Workspace:
    return Workspaces(database).create("Museum")
