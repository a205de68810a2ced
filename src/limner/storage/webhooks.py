"""Webhooks: what is to be sent, what was, and how each attempt went."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from limner.annotations.annotation import Json
from limner.core.errors import NotFoundError
from limner.storage.columns import iso, now
from limner.storage.database import Database
from limner.storage.tables import DELIVERIES, DELIVERY_ATTEMPTS

#: Messages that nobody needs any more once a later one of the same job has been put up for the same address.
PASSING = frozenset({"job.started", "job.progress"})

DeliveryStatus: TypeAlias = Literal["pending", "delivered", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message for one address."""

    id: str
    workspace_id: str
    job_id: str | None
    #: What it tells of: ``job.finished``, …
    event: str
    url: str
    content_type: str
    body: bytes
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    #: When it is tried next; None when it is not.
    next_at: datetime | None
    finished_at: datetime | None

    def plain(self) -> dict[str, Json]:
        """The delivery as the API shows it, without its body."""
        return {
            "id": self.id,
            "job": self.job_id,
            "event": self.event,
            "url": self.url,
            "status": self.status,
            "attempts": self.attempts,
            "bytes": len(self.body),
            "created_at": self.created_at.isoformat(),
            "next_at": iso(self.next_at),
            "finished_at": iso(self.finished_at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one attempt went."""

    number: int
    at: datetime
    #: Of the answer; None where there was none.
    status_code: int | None
    #: Why it did not get through; None where it did.
    error: str | None
    #: How long it took.
    seconds: float


class Deliveries:
    """The webhooks of one workspace."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._db = database
        self._workspace = workspace_id

    def add(self, event: str, url: str, body: bytes, *, content_type: str, job_id: str | None = None) -> Delivery:
        """Put a message up for delivery."""
        row: dict[str, object] = {"id": uuid.uuid4().hex, "workspace_id": self._workspace, "job_id": job_id}
        row |= {"event": event, "url": url}
        row |= {"content_type": content_type, "body": body, "status": "pending", "attempts": 0}
        with self._db.write() as c:
            times = {"created_at": now(), "next_at": now()}
            return _delivery(c.execute(DELIVERIES.insert().values(**row, **times).returning(DELIVERIES)).one())

    def get(self, delivery_id: str) -> Delivery:
        """One message; raises `NotFoundError`."""
        with self._db.read() as c:
            return _delivery(self._row(c, delivery_id))

    def list(self, *, job_id: str | None = None, event: str | None = None, limit: int = 50) -> Sequence[Delivery]:
        """Messages, the newest first."""
        query = sa.select(DELIVERIES).where(DELIVERIES.c.workspace_id == self._workspace)
        if event is not None:
            query = query.where(DELIVERIES.c.event == event)
        if job_id is not None:
            query = query.where(DELIVERIES.c.job_id == job_id)
        with self._db.read() as c:
            rows = c.execute(query.order_by(DELIVERIES.c.created_at.desc(), DELIVERIES.c.id).limit(limit))
            return [_delivery(row) for row in rows]

    def attempts(self, delivery_id: str) -> Sequence[Attempt]:
        """How each attempt at a message went."""
        query = sa.select(DELIVERY_ATTEMPTS).where(DELIVERY_ATTEMPTS.c.delivery_id == delivery_id)
        with self._db.read() as c:
            self._row(c, delivery_id)
            return [_attempt(row) for row in c.execute(query.order_by(DELIVERY_ATTEMPTS.c.number))]

    def replay(self, delivery_id: str) -> Delivery:
        """Send a message once more, whatever became of it."""
        with self._db.write() as c:
            self._row(c, delivery_id)
            again = DELIVERIES.update().where(DELIVERIES.c.id == delivery_id)
            values = {"status": "pending", "next_at": now(), "attempts": 0, "finished_at": None}
            return _delivery(c.execute(again.values(**values).returning(DELIVERIES)).one())

    def _row(self, c: Connection, delivery_id: str) -> Row[Any]:
        mine = (DELIVERIES.c.id == delivery_id) & (DELIVERIES.c.workspace_id == self._workspace)
        row = c.execute(sa.select(DELIVERIES).where(mine)).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no webhook delivery {delivery_id}.")
        return row


def take_due(database: Database, *, limit: int, lease: timedelta) -> Sequence[Delivery]:
    """Messages of any workspace whose time has come; they are ours alone for as long as the lease.

    Of those of one job for one address, each waits until the one before has been tried once.
    """
    due = sa.select(DELIVERIES.c.id).where(DELIVERIES.c.status == "pending", DELIVERIES.c.next_at <= now())
    earlier = DELIVERIES.alias("earlier")
    untried = (earlier.c.status == "pending") & (earlier.c.attempts == 0)
    due = due.where(~sa.exists().where(untried, _same_place(earlier), earlier.c.created_at < DELIVERIES.c.created_at))
    with database.write() as c:
        query = due.order_by(DELIVERIES.c.next_at).limit(limit).with_for_update(skip_locked=True)
        ids = c.execute(query).scalars().all()
        if not ids:
            return []
        taken = DELIVERIES.update().where(DELIVERIES.c.id.in_(ids)).values(next_at=now() + lease)
        return [_delivery(row) for row in c.execute(taken.returning(DELIVERIES))]


def note_attempt(
    database: Database,
    delivery: Delivery,
    *,
    status_code: int | None,
    error: str | None,
    seconds: float,
    again_at: datetime | None,
) -> None:
    """Write down how an attempt went, and what follows: delivered, tried again at a time, or given up."""
    if delivery.event in PASSING and _overtaken(database, delivery):
        again_at = None
    status = "delivered" if error is None else "pending" if again_at else "failed"
    ended = None if status == "pending" else now()
    values = {"status": status, "attempts": delivery.attempts + 1, "next_at": again_at, "finished_at": ended}
    log = {"delivery_id": delivery.id, "at": now(), "status_code": status_code, "error": error, "seconds": seconds}
    made = sa.select(sa.func.count()).where(DELIVERY_ATTEMPTS.c.delivery_id == delivery.id)
    with database.write() as c:
        if not c.execute(DELIVERIES.update().where(DELIVERIES.c.id == delivery.id).values(**values)).rowcount:
            return  # it was deleted with its workspace meanwhile
        c.execute(DELIVERY_ATTEMPTS.insert(), {**log, "number": c.execute(made).scalar_one() + 1})


def _same_place(other: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether another message is of the same job and for the same address."""
    return (other.c.job_id == DELIVERIES.c.job_id) & (other.c.url == DELIVERIES.c.url)


def _overtaken(database: Database, delivery: Delivery) -> bool:
    later = DELIVERIES.alias("later")
    found = sa.exists().where(_same_place(later), later.c.created_at > DELIVERIES.c.created_at)
    with database.read() as c:
        return c.execute(sa.select(DELIVERIES.c.id).where(DELIVERIES.c.id == delivery.id, found)).first() is not None


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(**row._asdict())


def _attempt(row: Row[Any]) -> Attempt:
    values = row._asdict()
    del values["delivery_id"]
    return Attempt(**values)
