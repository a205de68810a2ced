"""A server that listens and works on jobs, and tokens of any scope for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from limner.storage.tokens import Scope, Tokens
from tests.server.compat.listening import Listening, listening


@contextmanager
def working(folder: Path, bright: Path, **settings: object) -> Iterator[Listening]:
    """With ``bright`` as its default model, for which ``yolo_last`` stands as well."""
    chosen = {"workers": 1, "fetch_retries": 0, "threads": 1, **settings}
    with listening(folder, [bright], {"default": "bright", "yolo_last": "bright"}, **chosen) as server:
        yield server


def key_of(server: Listening, *scopes: Scope, workspace: str = "default") -> dict[str, str]:
    """The header with a new token."""
    tokens = Tokens(server.state.database, server.workspace(workspace))
    return {"X-API-Key": tokens.create("test", scopes)[1]}
