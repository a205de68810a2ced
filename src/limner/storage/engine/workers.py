"""The processes that work: who is there, who has gone, and who may look after the work of those gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.tables import WORKERS

State: TypeAlias = Literal["alive", "stopped", "dead"]
#: Any number will do that nobody else uses.
_LOCK = 5_317_260_419


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that takes tasks."""

    #: The same each time the process starts.
    id: str
    #: Another each time.
    incarnation: str
    host: str
    pid: int
    #: Kinds of job that it works on.
    kinds: tuple[str, ...]
    state: State
    #: Grows as long as the process is there.
    beat: int
    started_at: datetime
    seen_at: datetime


class Workers:
    """All workers."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def register(self, worker_id: str, incarnation: str, *, host: str, pid: int, kinds: Sequence[str]) -> None:
        """A worker starts; its earlier incarnations are no more."""
        row = {"incarnation": incarnation, "host": host, "pid": pid, "kinds": list(kinds), "state": "alive", "beat": 0}
        row |= {"started_at": now(), "seen_at": now()}
        with self._db.write() as c:
            _exclude(c)
            if not c.execute(WORKERS.update().where(WORKERS.c.id == worker_id).values(**row)).rowcount:
                c.execute(WORKERS.insert(), {"id": worker_id, **row})

    def beat(self, worker_id: str, incarnation: str) -> bool:
        """Say that it is still there; False where the others have taken it for dead."""
        with self._db.write() as c:
            mine = _alive(worker_id, incarnation)
            return bool(c.execute(mine.values(beat=WORKERS.c.beat + 1, seen_at=now())).rowcount)

    def stop(self, worker_id: str, incarnation: str) -> None:
        """It has stopped as it should."""
        with self._db.write() as c:
            c.execute(_alive(worker_id, incarnation).values(state="stopped", seen_at=now()))

    def declare_dead(self, worker: Worker) -> bool:
        """Take a worker for dead, unless it has stirred since it was read; whether it was so taken."""
        with self._db.write() as c:
            unmoved = _alive(worker.id, worker.incarnation).where(WORKERS.c.beat == worker.beat)
            return bool(c.execute(unmoved.values(state="dead")).rowcount)

    def all(self) -> Sequence[Worker]:
        """Every worker ever seen and not forgotten."""
        with self._db.read() as c:
            return _all(c)

    @contextmanager
    def alone(self) -> Iterator[Sequence[Worker] | None]:
        """All workers, while no other process is in here or starts; None where one is."""
        with self._db.write() as c:
            yield _all(c) if _exclude(c, wait=False) else None


def _alive(worker_id: str, incarnation: str) -> sa.Update:
    return WORKERS.update().where(
        WORKERS.c.id == worker_id, WORKERS.c.incarnation == incarnation, WORKERS.c.state == "alive"
    )


def _exclude(c: Connection, *, wait: bool = True) -> bool:
    """Keep the others out until the transaction ends; on SQLite, writing does that already."""
    if c.dialect.name == "sqlite":
        return True
    if wait:
        c.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        return True
    return bool(c.execute(sa.text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar())


def _all(c: Connection) -> Sequence[Worker]:
    return [_worker(row) for row in c.execute(sa.select(WORKERS).order_by(WORKERS.c.id))]


def _worker(row: Row[Any]) -> Worker:
    values = row._asdict()
    return Worker(**{**values, "kinds": tuple(values["kinds"])})
