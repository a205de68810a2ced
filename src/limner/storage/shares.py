"""Shares: documents and jobs that viewers may open without a token, by a key that nobody can guess.

A key is kept as it is, not hashed like a token: its address is shown again to whoever may read the
document, and it opens nothing but what stands in this database anyway.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Row

from limner.core.errors import NotFoundError
from limner.storage.columns import now
from limner.storage.database import Database, insert_if_absent
from limner.storage.tables import SHARES

Kind: TypeAlias = Literal["document", "job"]
#: Random bytes in a key: 192 bits.
_BYTES = 24


@dataclass(frozen=True, slots=True)
class Share:
    """Something that may be opened without a token."""

    key: str
    workspace_id: str
    kind: Kind
    #: Of the document or job.
    id: str
    created_at: datetime


class Shares:
    """What one workspace shares. That there is such a document or job is the caller's to know."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._db = database
        self._workspace = workspace_id

    def ensure(self, kind: Kind, identity: str) -> Share:
        """Share something; what is shared already keeps its key."""
        row = {"key": secrets.token_urlsafe(_BYTES), "workspace_id": self._workspace, "created_at": now()}
        with self._db.write() as c:
            insert_if_absent(c, SHARES, {**row, _column(kind).name: identity})
            return _share(c.execute(self._of(kind, [identity])).one())

    def get(self, kind: Kind, identity: str) -> Share:
        """How something is shared; raises `NotFoundError` where it is not."""
        found = self.among(kind, [identity])
        if identity not in found:
            raise NotFoundError(f"The {kind} {identity} is not shared.")
        return found[identity]

    def among(self, kind: Kind, identities: Iterable[str]) -> dict[str, Share]:
        """Those of some documents or jobs that are shared."""
        wanted = list(identities)
        if not wanted:
            return {}
        with self._db.read() as c:
            return {share.id: share for share in map(_share, c.execute(self._of(kind, wanted)))}

    def revoke(self, kind: Kind, identity: str) -> None:
        """Let nobody in by the key any more; no error where it is not shared."""
        mine = (_column(kind) == identity) & (SHARES.c.workspace_id == self._workspace)
        with self._db.write() as c:
            c.execute(SHARES.delete().where(mine))

    def _of(self, kind: Kind, identities: list[str]) -> sa.Select[Any]:
        query = sa.select(SHARES).where(_column(kind).in_(identities))
        return query.where(SHARES.c.workspace_id == self._workspace)


def find_share(database: Database, key: str) -> Share | None:
    """What a key opens, in whatever workspace; None for one that opens nothing."""
    with database.read() as c:
        row = c.execute(sa.select(SHARES).where(SHARES.c.key == key)).one_or_none()
    return None if row is None else _share(row)


def _column(kind: Kind) -> sa.Column[Any]:
    return SHARES.c.document_id if kind == "document" else SHARES.c.job_id


def _share(row: Row[Any]) -> Share:
    kind: Kind = "job" if row.document_id is None else "document"
    return Share(row.key, row.workspace_id, kind, row.job_id or row.document_id, row.created_at)
