"""Requests that are sent twice and carried out once: the header ``Idempotency-Key``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, BinaryIO

from fastapi import Header, Response

from limner.core.errors import ConflictError, UsageError
from limner.server.auth import Caller
from limner.server.state import AppState
from limner.storage.idempotency import Answer, IdempotencyKeys

_BLOCK = 1 << 20
#: Headers of an answer that are given again.
_KEPT = ("location", "content-type", "etag")

#: The key that a client gives, if it does.
KeyDep = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key with the same request gives the same answer, and nothing is done twice.",
    ),
]


def fingerprint(what: str, fields: object, files: Sequence[tuple[str, BinaryIO]] = ()) -> str:
    """A hash of a request: equal for what is the same, however it was put into a form. Reads the files."""
    sum_ = hashlib.sha256(json.dumps([what, fields], sort_keys=True, default=str).encode())
    for name, file in files:
        file.seek(0)
        content = hashlib.sha256()
        while block := file.read(_BLOCK):
            content.update(block)
        file.seek(0)
        sum_.update(json.dumps([name, content.hexdigest()]).encode())
    return sum_.hexdigest()


def once(
    state: AppState, caller: Caller, key: str | None, print_of: Callable[[], str], act: Callable[[], Response]
) -> Response:
    """Carry a request out, or give the answer that its key was given before; blocks.

    Raises `ConflictError` where the key came with another request, or while the first still runs.
    """
    if key is None:
        return act()
    keys = IdempotencyKeys(state.database, caller.workspace_id)
    try:
        earlier = keys.begin(key, print_of())
    except UsageError as error:
        raise ConflictError(error.message, hint=error.hint) from error
    if earlier is not None:
        return _given(earlier.status_code, earlier.headers, earlier.body)
    try:
        response = act()
    except BaseException:
        keys.abandon(key)
        raise
    headers = {name: value for name, value in response.headers.items() if name in _KEPT}
    keys.finish(key, Answer(response.status_code, headers, bytes(response.body)))
    return response


def _given(status: int, headers: Mapping[str, str], body: bytes) -> Response:
    return Response(body, status, {**headers, "Idempotent-Replayed": "true"})
