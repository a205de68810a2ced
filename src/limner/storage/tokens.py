"""Tokens: what a client shows to say which workspace it belongs to and what it may do.

Only a hash of a token is kept. A token is 256 random bits, so that one round of SHA-256 is enough:
there is nothing to guess that a slow hash would have to protect.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Row

from limner.annotations.annotation import Json
from limner.core.errors import NotFoundError, UsageError
from limner.storage.columns import iso, now
from limner.storage.database import Database
from limner.storage.tables import TOKENS

Scope: TypeAlias = Literal["annotate", "train", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
#: Begins every token, so that people and secret scanners know one when they see it.
PREFIX = "limner_"
#: The last use is noted no more often than this: a request should not cost a write.
_NOTED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret."""

    id: str
    workspace_id: str
    #: What it is for, in people's words.
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    def plain(self) -> dict[str, Json]:
        """The token as the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "scopes": [scope for scope in SCOPES if scope in self.scopes],
            "created_at": self.created_at.isoformat(),
            "expires_at": iso(self.expires_at),
            "last_used_at": iso(self.last_used_at),
        }


class Tokens:
    """The tokens of one workspace."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._db = database
        self._workspace = workspace_id

    def create(self, name: str, scopes: Iterable[Scope], *, expires_at: datetime | None = None) -> tuple[Token, str]:
        """A new token and its secret, which is not to be had a second time."""
        wanted = frozenset(scopes)
        if unknown := wanted - set(SCOPES):
            raise UsageError(f"There is no scope {', '.join(sorted(unknown))}.", hint=f"Known: {', '.join(SCOPES)}.")
        if not wanted:
            raise UsageError("A token needs a scope.", hint=f"Known: {', '.join(SCOPES)}.")
        secret = PREFIX + secrets.token_urlsafe(32)
        row: dict[str, object] = {"id": uuid.uuid4().hex, "workspace_id": self._workspace, "name": name[:200]}
        row |= {"hash": hashed(secret)}
        row |= {"scopes": sorted(wanted), "created_at": now(), "expires_at": expires_at}
        with self._db.write() as c:
            made = c.execute(TOKENS.insert().values(**row).returning(TOKENS)).one()
        return _token(made), secret

    def list(self) -> Sequence[Token]:
        """All, the newest first."""
        query = sa.select(TOKENS).where(TOKENS.c.workspace_id == self._workspace)
        with self._db.read() as c:
            return [_token(row) for row in c.execute(query.order_by(TOKENS.c.created_at.desc()))]

    def delete(self, token_id: str) -> None:
        """Revoke one; raises `NotFoundError`."""
        mine = TOKENS.delete().where(TOKENS.c.id == token_id, TOKENS.c.workspace_id == self._workspace)
        with self._db.write() as c:
            if not c.execute(mine).rowcount:
                raise NotFoundError(f"There is no token {token_id}.")


def authenticate(database: Database, secret: str) -> Token | None:
    """The token with that secret, if there is one that has not expired; notes that it was used."""
    if not secret.startswith(PREFIX):
        return None
    with database.read() as c:
        row = c.execute(sa.select(TOKENS).where(TOKENS.c.hash == hashed(secret))).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now()):
        return None
    if row.last_used_at is None or now() - row.last_used_at > _NOTED:
        with database.write() as c:
            c.execute(TOKENS.update().where(TOKENS.c.id == row.id).values(last_used_at=now()))
    return _token(row)


def any_tokens(database: Database) -> bool:
    """Whether there is any token at all: without one, nobody could come in."""
    with database.read() as c:
        return c.execute(sa.select(TOKENS.c.id).limit(1)).one_or_none() is not None


def hashed(secret: str) -> str:
    """SHA-256 of a secret, hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(row: Row[Any]) -> Token:
    return Token(
        row.id, row.workspace_id, row.name, frozenset(row.scopes), row.created_at, row.expires_at, row.last_used_at
    )
