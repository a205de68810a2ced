"""A server, and the command with its address."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from tests.cli.conftest import Run
from tests.client.conftest import draw_page
from tests.limner_process import ServerProcess, serving
from tests.models.networks import bright_boxes_bundle


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that asks for tokens, with the model ``bright`` as its default."""
    folder = tmp_path_factory.mktemp("server")
    store = ModelStore(folder / "data" / "models")
    store.add(read_bundle(bright_boxes_bundle(folder / "bright")))
    store.alias("default", "bright")
    with serving(folder / "data", LIMNER_RATE_LIMIT="0", LIMNER_FETCH_RETRIES="0") as process:
        yield process


@pytest.fixture
def remote(limner: Run, server: ServerProcess) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``limner --server`` with some arguments in the test's folder; the token is in the environment."""

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        return limner("--server", server.url, *arguments, code=code, LIMNER_TOKEN=server.first_token)

    return run


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A folder of five pages, one of them in a folder below."""
    folder = tmp_path / "pages"
    (folder / "more").mkdir(parents=True)
    for number in range(1, 5):
        draw_page(folder / f"{number:04}.png", 20 * number)
    draw_page(folder / "more" / "0005.png")
    return folder
