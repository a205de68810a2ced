"""Servers that the tests of this folder share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.compat.listening import Listening, listening
from tests.server.compat.segmenting import discs_bundle


@pytest.fixture(scope="session")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that segments."""
    return discs_bundle(tmp_path_factory.mktemp("bundles") / "discs")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, bright: Path, discs: Path) -> Iterator[Listening]:
    """A server whose default model finds bright rectangles, and that has one that segments."""
    with listening(tmp_path_factory.mktemp("foreign"), [bright, discs], {"default": "bright"}) as running:
        yield running
