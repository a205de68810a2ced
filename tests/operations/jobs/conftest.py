from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from limner.models.bundle import BUILTIN
from limner.models.protocol import RUNTIMES
from tests.models.networks import bright_boxes_bundle
from tests.operations.jobs.workplace import Slow, Workplace, opened, save_pages
from tests.sources.iiif.loopback import IIIFServer

MakeLibrary = Callable[..., IIIFServer]


@pytest.fixture(scope="session")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that finds bright rectangles."""
    return bright_boxes_bundle(tmp_path_factory.mktemp("bundles") / "bright", side=64)


@pytest.fixture
def place(tmp_path: Path, bright: Path) -> Iterator[Workplace]:
    """A workplace on SQLite whose engine works."""
    with opened(tmp_path / "data", bright) as place:
        yield place


@pytest.fixture
def library(tmp_path: Path) -> Iterator[MakeLibrary]:
    """A function that starts a IIIF server with so many pages."""
    with ExitStack() as stack:

        def make(pages: int, **options: object) -> IIIFServer:
            folder = save_pages(tmp_path / f"library-{pages}", pages)
            return stack.enter_context(IIIFServer(folder, **options))

        yield make


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Slow]]:
    """A function that makes a built-in model ``slow`` that takes so many seconds a page, but not after the test."""
    made: list[Slow] = []

    def make(seconds: float, load_seconds: float = 0.0) -> Slow:
        runtime = Slow(seconds, load_seconds)
        monkeypatch.setitem(RUNTIMES._added, "slow", runtime)
        monkeypatch.setitem(BUILTIN._added, "slow", runtime.bundle())
        made.append(runtime)
        return runtime

    yield make
    for runtime in made:
        runtime.gate.set()
