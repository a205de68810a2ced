from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.core.settings import Settings
from limner.operations.services import Services
from limner.sources.protocol import SourceContext
from limner.training.datasets.store import DatasetStore


@pytest.fixture
def context(tmp_path: Path) -> Iterator[SourceContext]:
    with Services(Settings(data=tmp_path / "data", source_networks="127.0.0.0/8", fetch_retries=0)) as services:
        yield services.sources


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return DatasetStore(tmp_path / "data" / "datasets")
