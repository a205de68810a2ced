from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.core.settings import Settings
from limner.operations.documents.desk import DocumentDesk
from limner.operations.services import Services
from limner.sources.protocol import SourceContext
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.workspaces import Workspaces


@pytest.fixture
def context(tmp_path: Path) -> Iterator[SourceContext]:
    with Services(Settings(data=tmp_path / "data")) as services:
        yield services.sources


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def desk(tmp_path: Path, blobs: Blobs, context: SourceContext) -> Iterator[DocumentDesk]:
    """The documents of a workspace."""
    database = Database(tmp_path / "limner.db")
    database.upgrade()
    yield DocumentDesk(database, blobs, context, Workspaces(database).ensure("Library").id)
    database.close()
