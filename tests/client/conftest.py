"""A real server in a process of its own, and clients of it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from PIL import Image

from limner.client import AsyncClient, Client
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from tests.client.scripted import ScriptedServer
from tests.limner_process import ServerProcess, serving
from tests.models.networks import bright_boxes_bundle


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server without tokens, with the model ``bright`` as its default."""
    folder = tmp_path_factory.mktemp("server")
    store = ModelStore(folder / "data" / "models")
    store.add(read_bundle(bright_boxes_bundle(folder / "bright")))
    store.alias("default", "bright")
    with serving(folder / "data", "--no-auth", LIMNER_RATE_LIMIT="0") as process:
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    with Client(server.url) as client:
        yield client


@pytest.fixture
async def async_client(server: ServerProcess) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url) as client:
        yield client


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A server that answers what a test tells it to."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def pages(tmp_path: Path) -> list[Path]:
    """Three dark pages with a bright box each."""
    folder = tmp_path / "pages"
    folder.mkdir()
    return [draw_page(folder / f"{number}.png", 40 * number) for number in range(1, 4)]


def draw_page(path: Path, x: int = 80) -> Path:
    page = Image.new("RGB", (400, 300), (10, 10, 10))
    page.paste((250, 250, 250), (x, 50, x + 160, 150))
    page.save(path)
    return path
