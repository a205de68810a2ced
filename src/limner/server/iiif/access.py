"""Who may see what is published: whoever has the key, and whoever may read it anyway.

The addresses of what is shared have the key of the share in them, which nobody can guess. In its place
the id of a document or job will do for a request with a token of its workspace, and for everybody
where the server asks for no token. What is not to be seen is answered as what does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Path, Request
from pydantic import BeforeValidator

from limner.core.errors import NotFoundError, NoTokenError
from limner.operations.publishing.opening import NOTHING
from limner.operations.publishing.places import Place
from limner.operations.publishing.published import Published
from limner.server.addresses import base_of
from limner.server.auth import presented
from limner.server.state import AppState

#: Answers to requests with a token are nobody else's.
_PRIVATE = {"Vary": "Authorization, X-API-Key"}


@dataclass(frozen=True, slots=True)
class Opened:
    """What is behind an address."""

    published: Published
    place: Place
    #: Whether the key alone opens it.
    public: bool

    def caching(self, seconds: int) -> dict[str, str]:
        """Headers for an answer that may be kept so long; a share that is revoked lives on in caches until then."""
        if self.public:
            return {"Cache-Control": f"public, max-age={seconds}"}
        return {"Cache-Control": f"private, max-age={seconds}", **_PRIVATE}

    def fresh(self) -> dict[str, str]:
        """Headers for an answer that may be kept if we are asked each time whether it is still so."""
        return {"Cache-Control": "no-cache"} if self.public else {"Cache-Control": "private, no-cache", **_PRIVATE}


def opened(request: Request, state: AppState, key: str) -> Opened:
    """What is published under a key; blocks. Raises `NotFoundError`."""
    place = Place(base_of(request, state.settings), key)
    if (shared := state.publisher.shared(key)) is not None:
        return Opened(shared, place, public=True)
    return Opened(state.publisher.own(_workspace(request, state), key), place, public=not state.settings.auth)


def _workspace(request: Request, state: AppState) -> str:
    """The workspace whose documents the request may see."""
    if not state.settings.auth:
        # A page of another site may ask too, as viewers are such pages; but it has no way to learn an id.
        return state.home
    if presented(request.headers) is None:
        raise NotFoundError(NOTHING)
    try:
        return state.authenticate(request.headers).workspace_id
    except NoTokenError as error:
        raise NotFoundError(NOTHING) from error


def _position(text: object) -> int:
    # What cannot be a position is as unknown as any other.
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 7:
        raise NotFoundError(NOTHING)
    return int(text)


Key = Annotated[str, Path(max_length=64, description="Key of a share, or id of a document or job.")]
#: The number of a document among those of a job; 0 for a document.
Number = Annotated[int, BeforeValidator(_position), Path(description="Number of the document, from 0.")]
#: The position of a page.
Index = Annotated[int, BeforeValidator(_position), Path(description="Position of the page, from 0.")]
