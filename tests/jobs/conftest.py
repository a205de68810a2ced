from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from limner.jobs.engine import JobEngine
from limner.jobs.runner import Patience
from limner.jobs.worker import EngineOptions
from limner.storage.database import Database
from limner.storage.workspaces import Workspaces
from tests.jobs.handlers import Scripted

#: For tests: everything that happens after a while happens soon.
QUICK = {"patience": Patience(first=0.05), "poll": 0.05, "beat": 0.2, "dead_after": 1.0}


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database, on SQLite unless the test is marked `on_both`."""
    on_postgres = getattr(request, "param", "sqlite") == "postgresql"
    database = Database(request.getfixturevalue("postgres_url") if on_postgres else tmp_path / "data" / "limner.db")
    database.upgrade()
    yield database
    database.close()


@pytest.fixture
def handler(tmp_path: Path) -> Scripted:
    return Scripted(tmp_path / "log")


@pytest.fixture
def make_engine(database: Database, tmp_path: Path, handler: Scripted) -> Iterator[Callable[..., JobEngine]]:
    """A function that makes an engine with some options, and starts it."""
    engines: list[JobEngine] = []

    def make(*, start: bool = True, **options: object) -> JobEngine:
        engine = JobEngine(database, [handler], folder=tmp_path, options=EngineOptions(**{**QUICK, **options}))
        engines.append(engine)
        if start:
            engine.start()
        return engine

    yield make
    for engine in engines:
        engine.stop(0)


@pytest.fixture
def home(database: Database) -> str:
    """The id of a workspace."""
    return Workspaces(database).ensure("Library").id
