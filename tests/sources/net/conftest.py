from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from limner.core.settings import Settings
from limner.sources.net.downloader import Downloader
from limner.sources.net.politeness import Backoff
from tests.sources.hostile_server import HostileServer

#: Retries without the waits.
QUICK = Backoff(first=0.01, longest=0.05)


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


MakeDownloader = Callable[..., Downloader]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeDownloader]:
    """Makes downloaders that may fetch from 127.0.0.1 alone, keep their cache in ``tmp_path`` and are closed."""
    with ExitStack() as stack:

        def make(*, backoff: Backoff = QUICK, resolve: object = None, **options: object) -> Downloader:
            options = {"data": tmp_path, "source_networks": "127.0.0.1/32", "fetch_timeout": 5, **options}
            return stack.enter_context(Downloader(Settings(**options), backoff=backoff, resolve=resolve))

        yield make
