from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from limner.core.settings import Settings
from limner.sources.net.downloader import Downloader
from limner.sources.protocol import SourceContext

NOBODY = 65_534


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """Run a block as a user who may not read everything; root gives itself up for the time."""

    @contextmanager
    def block() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    return block


@pytest.fixture
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SourceContext]:
    """A context whose downloader may fetch from 127.0.0.1 alone."""
    settings = Settings(data=tmp_path_factory.mktemp("data"), source_networks="127.0.0.1/32", fetch_retries=0)
    with Downloader(settings) as downloader:
        yield SourceContext(settings, downloader)
