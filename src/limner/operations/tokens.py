"""Tokens: the first one, and those that people make later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from limner.core.errors import UsageError
from limner.storage.database import Database
from limner.storage.tokens import Scope, Token, Tokens, any_tokens
from limner.storage.workspaces import Workspaces

#: Name of the workspace whose admins look after the server.
HOME = "default"
_TEN_YEARS = timedelta(days=3653)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made."""

    token: Token
    #: What the client shows; it cannot be had again.
    secret: str


def ensure_first_admin(database: Database) -> NewToken | None:
    """Make the workspace ``default`` and, where there is no token at all, one for its admin.

    None where somebody can come in already.
    """
    home = Workspaces(database).ensure(HOME)
    if any_tokens(database):
        return None
    return NewToken(*Tokens(database, home.id).create("first admin", ["admin"]))


def create_token(
    database: Database,
    workspace_id: str,
    *,
    name: str,
    scopes: Iterable[Scope],
    expires_at: datetime | None = None,
) -> NewToken:
    """Make a token; raises `UsageError`. A time without zone is taken for UTC."""
    if not name.strip():
        raise UsageError("A token needs a name that says what it is for.")
    return NewToken(*Tokens(database, workspace_id).create(name.strip(), scopes, expires_at=_checked(expires_at)))


def _checked(expires_at: datetime | None) -> datetime | None:
    if expires_at is None:
        return None
    moment = expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC)
    if not datetime.now(UTC) < moment < datetime.now(UTC) + _TEN_YEARS:
        raise UsageError("A token has to expire in the future, within ten years.", hint="Leave it out for never.")
    return moment
