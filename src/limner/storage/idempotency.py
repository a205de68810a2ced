"""Answers kept under the key that a client gave, so that a request sent twice is carried out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from limner.core.errors import ConflictError, UsageError
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.tables import IDEMPOTENCY


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered the first time."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


class IdempotencyKeys:
    """The keys that clients of one workspace gave."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._db = database
        self._workspace = workspace_id

    def begin(self, key: str, fingerprint: str) -> Answer | None:
        """None for a key that is new, else the answer given.

        ``fingerprint`` is a hash of the request. Raises `UsageError` where the key came with another
        request, and `ConflictError` while the first is still being carried out.
        """
        if not 0 < len(key) <= 255:
            raise UsageError("An idempotency key has at most 255 characters.")
        row = {"workspace_id": self._workspace, "key": key, "fingerprint": fingerprint, "created_at": now()}
        try:
            with self._db.write() as c:
                c.execute(IDEMPOTENCY.insert(), row)
        except sa.exc.IntegrityError:
            return self._earlier(key, fingerprint)
        return None

    def finish(self, key: str, answer: Answer) -> None:
        """Keep the answer."""
        values = {"status_code": answer.status_code, "headers": dict(answer.headers), "body": answer.body}
        with self._db.write() as c:
            c.execute(IDEMPOTENCY.update().where(self._one(key)).values(**values))

    def abandon(self, key: str) -> None:
        """Forget a key whose request came to nothing, so that it may be tried again."""
        with self._db.write() as c:
            c.execute(IDEMPOTENCY.delete().where(self._one(key), IDEMPOTENCY.c.status_code.is_(None)))

    def _earlier(self, key: str, fingerprint: str) -> Answer | None:
        with self._db.read() as c:
            row = c.execute(sa.select(IDEMPOTENCY).where(self._one(key))).one_or_none()
        if row is None:  # it was abandoned just now
            return self.begin(key, fingerprint)
        if row.fingerprint != fingerprint:
            raise UsageError(f"The idempotency key {key!r} was used for another request.", hint="Take a new one.")
        if row.status_code is None:
            raise ConflictError("The request with this idempotency key is still being carried out.")
        return Answer(row.status_code, row.headers, row.body)

    def _one(self, key: str) -> sa.ColumnElement[bool]:
        return (IDEMPOTENCY.c.workspace_id == self._workspace) & (IDEMPOTENCY.c.key == key)
