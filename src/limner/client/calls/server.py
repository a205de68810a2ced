"""The server itself: tokens, workspaces, routes, the queue, its settings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from limner.annotations.annotation import Json
from limner.client import answers
from limner.client.call import Answer, Call, filled, nothing, path
from limner.client.values import Listing, NewToken, Queue, Route, Token, Values, Webhook, Workspace
from limner.core.errors import UsageError


def tokens(workspace: Workspace | str | None = None) -> Call[Listing[Token]]:
    """The tokens of this workspace, or of another where the caller is an admin of the server; without secrets."""
    params = filled(workspace=_id(workspace))
    return Call(method="GET", path=path("tokens"), params=params, read=answers.listing(answers.token))


def create_token(
    name: str,
    scopes: Iterable[str] = ("annotate",),
    *,
    expires_at: datetime | None = None,
    workspace: Workspace | str | None = None,
) -> Call[NewToken]:
    """Make a token for ``annotate``, ``train`` or ``admin``; its secret is in this answer and nowhere else.

    Only an admin of the server may make one for another workspace.
    """
    if expires_at is not None and expires_at.tzinfo is None:
        raise UsageError("The time at which a token expires needs a time zone.")
    body: dict[str, Json] = {"name": name, "scopes": [*scopes]}
    if expires_at is not None:
        body["expires_at"] = expires_at.isoformat()
    if workspace is not None:
        body["workspace"] = _id(workspace)
    read = answers.one(answers.new_token)
    return Call(method="POST", path=path("tokens"), body=body, read=read, repeatable=False)


def delete_token(token: Token | str, *, workspace: Workspace | str | None = None) -> Call[None]:
    """Revoke a token of this workspace, or of another where the caller is an admin of the server."""
    where = path("tokens", token.id if isinstance(token, Token) else token)
    return Call(method="DELETE", path=where, params=filled(workspace=_id(workspace)), read=nothing)


def workspaces() -> Call[Listing[Workspace]]:
    """All workspaces."""
    return Call(method="GET", path=path("workspaces"), read=answers.listing(answers.workspace))


def create_workspace(name: str) -> Call[Workspace]:
    """Make a workspace; raises `ConflictError` where the name is taken."""
    read = answers.one(answers.workspace)
    return Call(method="POST", path=path("workspaces"), body={"name": name}, read=read, repeatable=False)


def delete_workspace(workspace: Workspace | str) -> Call[None]:
    """Forget a workspace and everything in it."""
    return Call(method="DELETE", path=path("workspaces", _id(workspace) or ""), read=nothing)


def routes() -> Call[Listing[Route]]:
    """Which model documents of which type go to."""
    return Call(method="GET", path=path("routes"), read=answers.listing(answers.route))


def get_route(document_type: str) -> Call[Route]:
    """Which model documents of a type go to: by a route of their own, or else by the default one."""
    return Call(method="GET", path=path("routes", document_type), read=answers.one(answers.route))


def set_route(document_type: str, model: str) -> Call[Route]:
    """Let documents of a type go to a model; ``default`` is for all other types."""
    where = path("routes", document_type)
    return Call(method="PUT", path=where, body={"model": model}, read=answers.one(answers.route))


def delete_route(document_type: str) -> Call[None]:
    """Forget where documents of a type go."""
    return Call(method="DELETE", path=path("routes", document_type), read=nothing)


def webhook() -> Call[Webhook]:
    """Where word is sent when a job of this workspace ends; raises `NotFoundError` where nowhere."""
    return Call(method="GET", path=path("webhook"), read=answers.one(answers.webhook))


def set_webhook(url: str, *, form: str = "json", secret: str | None = None) -> Call[Webhook]:
    """Have word sent when a job of this workspace ends, as ``json`` or ``extractor``.

    ``secret`` is what it is signed with, in place of the server's key.
    """
    body: dict[str, Json] = {"url": url, "form": form}
    if secret is not None:
        body["secret"] = secret
    return Call(method="PUT", path=path("webhook"), body=body, read=answers.one(answers.webhook))


def delete_webhook() -> Call[None]:
    """Have no word sent any more."""
    return Call(method="DELETE", path=path("webhook"), read=nothing)


def queue() -> Call[Queue]:
    """How much waits, how much is being done, and by how many."""
    return Call(method="GET", path=path("queue"), read=answers.one(answers.queue))


def settings() -> Call[Values]:
    """What the server offers: version, formats, limits; for its admins all settings, without secrets."""
    return Call(method="GET", path=path("settings"), read=Answer.plain)


def _id(workspace: Workspace | str | None) -> str | None:
    return workspace.id if isinstance(workspace, Workspace) else workspace
