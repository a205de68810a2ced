"""A server of ours that really listens, for clients that were written from the contracts alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from limner.server.app import create_app
from limner.server.state import AppState
from limner.storage.routes import Routes
from limner.storage.tokens import Tokens
from limner.storage.workspaces import Workspaces
from tests.operations.jobs.workplace import until


@dataclass(frozen=True)
class Listening:
    """A server that listens."""

    url: str
    data: Path
    state: AppState
    #: By workspace; closed with the server.
    clients: dict[str, httpx.Client] = field(default_factory=dict)

    def token(self, workspace: str = "default") -> str:
        """A token that may annotate in a workspace, which is made where it is missing."""
        database = self.state.database
        return Tokens(database, self.workspace(workspace)).create("test", ["annotate"])[1]

    def workspace(self, name: str) -> str:
        """Id of a workspace."""
        return Workspaces(self.state.database).ensure(name).id

    def client(self, workspace: str = "default") -> httpx.Client:
        """A client that gives its token as the password of HTTP Basic: all of these systems' clients can."""
        if workspace not in self.clients:
            shown = ("limner", self.token(workspace))
            self.clients[workspace] = httpx.Client(base_url=self.url, auth=shown, trust_env=False, timeout=60)
        return self.clients[workspace]

    def route(self, document_type: str, model: str, workspace: str = "default") -> None:
        """Send a type of document to a model."""
        Routes(self.state.database, self.workspace(workspace)).set(document_type, model)


@contextmanager
def listening(data: Path, bundles: Sequence[Path], aliases: Mapping[str, str], **settings: Any) -> Iterator[Listening]:
    """A server on a free port, with some shared models."""
    chosen = Settings(data=data, **{"workers": 0, "rate_limit": 0, "source_networks": "127.0.0.0/8", **settings})
    store = ModelStore(chosen.models_dir)
    for bundle in bundles:
        store.add(read_bundle(bundle))
    for alias, target in aliases.items():
        store.alias(alias, target)
    app = create_app(chosen)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        port = server.servers[0].sockets[0].getsockname()[1]
        running = Listening(f"http://127.0.0.1:{port}", data, app.state.limner)
        yield running
        for client in running.clients.values():
            client.close()
    finally:
        server.should_exit = True
        thread.join()
