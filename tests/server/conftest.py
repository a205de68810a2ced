"""A real application with a workspace, tokens and small models."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from limner.server.app import create_app
from tests.models.networks import bright_boxes_bundle
from tests.server.running import BASE, token_for, with_token

MakeClient = Callable[..., TestClient]


@pytest.fixture(scope="session")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that finds bright rectangles."""
    return bright_boxes_bundle(tmp_path_factory.mktemp("bundles") / "bright", side=64)


@pytest.fixture
def make_client(tmp_path: Path, bright: Path) -> Iterator[MakeClient]:
    """A function that starts an application with some settings, and gives a client without a token.

    The model ``bright`` is shared by all workspaces and their default. No jobs are worked on unless
    ``workers`` says so.
    """
    with ExitStack() as stack:

        def make(**settings: object) -> TestClient:
            merged = {"data": tmp_path / "data", "workers": 0, "source_networks": "127.0.0.0/8", "rate_limit": 0}
            app = create_app(Settings(**{**merged, **settings}))
            store = ModelStore(Settings(**{**merged, **settings}).models_dir)
            if "bright" not in {bundle.name for bundle in store.list()}:
                store.add(read_bundle(bright))
                store.alias("default", "bright")
            return stack.enter_context(TestClient(app, base_url=BASE, raise_server_exceptions=False))

        yield make


@pytest.fixture
def anonymous(make_client: MakeClient) -> TestClient:
    """A client of an application that asks for tokens, and that has none."""
    return make_client()


@pytest.fixture
def client(anonymous: TestClient) -> TestClient:
    """The same application's client with a token of the server's admin."""
    return with_token(anonymous, token_for(anonymous, "admin"))


@pytest.fixture
def stranger(anonymous: TestClient) -> TestClient:
    """A client of the same application, an admin of the workspace ``elsewhere``."""
    return with_token(anonymous, token_for(anonymous, "admin", workspace="elsewhere"))
