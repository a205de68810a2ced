"""Jobs as their workspace sees them: made, listed, cancelled, tried again, deleted; and their events."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from limner.annotations.annotation import Json
from limner.core.errors import ConflictError, NotFoundError, UsageError
from limner.storage.columns import iso, now
from limner.storage.database import Database, insert_if_absent
from limner.storage.tables import JOB_EVENTS, JOB_PAGES, JOB_TASKS, JOBS, OPEN, QUEUES

Status: TypeAlias = Literal["queued", "running", "succeeded", "partly_failed", "failed", "cancelled"]
#: A job in one of these does nothing any more, unless it is tried again.
FINAL: frozenset[str] = frozenset({"succeeded", "partly_failed", "failed", "cancelled"})
Stage: TypeAlias = Literal["plan", "pages", "finish"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed."""

    #: Stable name of the error, as in `limner.core.errors`.
    code: str
    #: A sentence for people.
    message: str

    def plain(self) -> dict[str, Json]:
        """``{"code": …, "message": …}``."""
        return {"code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class PageCounts:
    """How far a job is."""

    total: int
    done: int
    failed: int

    def plain(self) -> dict[str, Json]:
        """``{"total": …, "done": …, "failed": …}``."""
        return {"total": self.total, "done": self.done, "failed": self.failed}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What a job is to do."""

    #: Name of the handler.
    kind: str
    #: Whatever must not run side by side shares a queue: usually the model's name.
    queue: str
    #: What the handler needs to know. Small: what is large goes to a blob, and its key here.
    payload: Mapping[str, Json] = field(default_factory=dict)
    model: str | None = None
    source: str | None = None
    #: A higher one goes first among the jobs of its workspace.
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands."""

    id: str
    workspace_id: str
    kind: str
    status: Status
    queue: str
    priority: int
    model: str | None
    source: str | None
    payload: Mapping[str, Any]
    pages: PageCounts
    #: Number of its last event.
    seq: int
    error: Failure | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def final(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.status in FINAL

    def plain(self) -> dict[str, Json]:
        """The job as the API shows it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "status": self.status,
            "pages": self.pages.plain(),
            "model": self.model,
            "source": self.source,
            "priority": self.priority,
            "created_at": self.created_at.isoformat(),
            "started_at": iso(self.started_at),
            "finished_at": iso(self.finished_at),
            "error": plain_failure(self.error),
        }


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job."""

    #: Counts from 1 in each job, without gaps.
    seq: int
    #: ``queued``, ``planned``, ``started``, ``page``, ``progress``, ``retried``, ``cancelled`` or ``finished``.
    type: str
    #: Always holds ``status`` and ``pages`` as they were then.
    data: Mapping[str, Any]
    at: datetime


class Jobs:
    """The jobs of one workspace."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._db = database
        self._workspace = workspace_id

    def add(self, new: NewJob) -> Job:
        """Put a job into its queue; raises `UsageError` where a name in it is missing or too long."""
        _check(new)
        job_id = uuid.uuid4().hex
        with self._db.write() as c:
            for queue in (parent_queue(new.kind), new.queue):
                insert_if_absent(c, QUEUES, {"name": queue, "clock": 0})
            c.execute(JOBS.insert(), {"id": job_id, "workspace_id": self._workspace, **_fresh(new)})
            add_task(c, job_id, new.kind, "plan", parent_queue(new.kind))
            record(c, job_id, "queued")
            return job_in(c, job_id)

    def get(self, job_id: str) -> Job:
        """One job; raises `NotFoundError`."""
        with self._db.read() as c:
            return job_of(self._row(c, job_id))

    def images_kept(self, job_id: str) -> bool:
        """Whether the images of a job have not been deleted after their time; raises `NotFoundError`."""
        with self._db.read() as c:
            return bool(self._row(c, job_id).images_kept)

    def list(
        self, *, limit: int = 50, before: str | None = None, status: Status | None = None, kind: str | None = None
    ) -> Sequence[Job]:
        """Jobs, the newest first; ``before`` is the id of the last one of the page before."""
        query = sa.select(JOBS).where(JOBS.c.workspace_id == self._workspace)
        query = query.order_by(JOBS.c.created_at.desc(), JOBS.c.id.desc()).limit(limit)
        if status is not None:
            query = query.where(JOBS.c.status == status)
        if kind is not None:
            query = query.where(JOBS.c.kind == kind)
        with self._db.read() as c:
            if before is not None:
                last = self._row(c, before)
                query = query.where(sa.tuple_(JOBS.c.created_at, JOBS.c.id) < (last.created_at, last.id))
            return [job_of(row) for row in c.execute(query)]

    def count(self, status: Status) -> int:
        """How many jobs are in a state."""
        mine = (JOBS.c.workspace_id == self._workspace) & (JOBS.c.status == status)
        with self._db.read() as c:
            return c.execute(sa.select(sa.func.count()).select_from(JOBS).where(mine)).scalar_one()

    def cancel(self, job_id: str) -> Job:
        """Cancel it: from now on nothing of it is begun, and what is under way has lost its right to write."""
        with self._db.write() as c:
            row = self._row(c, job_id, lock=True)
            if row.status in FINAL:
                if row.status == "cancelled":
                    return job_of(row)
                raise ConflictError(f"The job has ended ({row.status}): there is nothing to cancel.")
            drop_open_tasks(c, job_id)
            record(c, job_id, "cancelled", changes={"status": "cancelled", "finished_at": now()})
            return job_in(c, job_id)

    def retry(self, job_id: str, *, chunk: int) -> Job:
        """Do again what failed or was not reached, in chunks of so many pages; what is done stays done."""
        with self._db.write() as c:
            row = self._row(c, job_id, lock=True)
            if row.status not in FINAL:
                raise ConflictError(f"The job is {row.status}: it can be tried again when it has ended.")
            if row.status == "succeeded":
                raise ConflictError("The job succeeded: there is nothing to try again.")
            _again(c, row, chunk)
            changes = {"status": "queued", "error": sa.null(), "finished_at": None}
            record(c, job_id, "retried", failed=-row.failed, changes=changes)
            return job_in(c, job_id)

    def delete(self, job_id: str) -> None:
        """Forget a job that has ended, with its pages and results."""
        with self._db.write() as c:
            if self._row(c, job_id, lock=True).status not in FINAL:
                raise ConflictError("A job that has not ended cannot be deleted.", hint="Cancel it first.")
            c.execute(JOBS.delete().where(JOBS.c.id == job_id))

    def events(self, job_id: str, *, after: int = 0, limit: int = 500) -> Sequence[JobEvent]:
        """What happened after event number ``after``, in order."""
        query = sa.select(JOB_EVENTS).where(JOB_EVENTS.c.job_id == job_id, JOB_EVENTS.c.seq > after)
        with self._db.read() as c:
            self._row(c, job_id)
            rows = c.execute(query.order_by(JOB_EVENTS.c.seq).limit(limit)).all()
        return [JobEvent(row.seq, row.type, row.data, row.created_at) for row in rows]

    def _row(self, c: Connection, job_id: str, *, lock: bool = False) -> Row[Any]:
        query = sa.select(JOBS).where(JOBS.c.id == job_id, JOBS.c.workspace_id == self._workspace)
        row = c.execute(query.with_for_update() if lock else query).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no job {job_id}.")
        return row


def parent_queue(kind: str) -> str:
    """The queue for planning and finishing jobs of a kind: never that of their pages, which it would wait for."""
    return _PARENTS + kind


def is_parent(queue: str) -> bool:
    """Whether a queue is one for planning and finishing."""
    return queue.startswith(_PARENTS)


_PARENTS = "parents:"


def record(
    c: Connection,
    job_id: str,
    event: str,
    data: Mapping[str, Json] | None = None,
    *,
    done: int = 0,
    failed: int = 0,
    changes: Mapping[str, object] | None = None,
) -> None:
    """Change a job's row, note the event, and hold the row until the transaction ends.

    Everything that changes a job, its tasks or its pages starts here or with a lock on the row: so
    changes come one after another, and events in the order of their numbers.
    """
    if changes:
        c.execute(JOBS.update().where(JOBS.c.id == job_id).values(**changes))
    row = c.execute(_COUNT, {"job": job_id, "more_done": done, "more_failed": failed}).one()
    counts = PageCounts(row.total, row.done, row.failed).plain()
    full = {"status": row.status, "pages": counts, **(data or {})}
    c.execute(_NOTE, {"job_id": job_id, "seq": row.seq, "type": event, "data": full, "created_at": now()})


# Made once: these are executed for every page.
_COUNT = (
    JOBS.update()
    .where(JOBS.c.id == sa.bindparam("job"))
    .values(
        seq=JOBS.c.seq + 1,
        done=JOBS.c.done + sa.bindparam("more_done"),
        failed=JOBS.c.failed + sa.bindparam("more_failed"),
    )
    .returning(JOBS.c.status, JOBS.c.total, JOBS.c.done, JOBS.c.failed, JOBS.c.seq)
)
_NOTE = JOB_EVENTS.insert()


def job_in(c: Connection, job_id: str) -> Job:
    """A job as it stands in a transaction."""
    return job_of(c.execute(sa.select(JOBS).where(JOBS.c.id == job_id)).one())


def job_of(row: Row[Any]) -> Job:
    """The job in a row of its table."""
    values = row._asdict()
    counts = PageCounts(values["total"], values["done"], values["failed"])
    same = {name: values[name] for name in Job.__slots__ if name not in ("pages", "error")}
    return Job(**same, pages=counts, error=failure_of(values["error"]))


def plain_failure(failure: Failure | None) -> dict[str, Json] | None:
    """A failure as a JSON value, or None."""
    return None if failure is None else failure.plain()


def failure_of(plain: Mapping[str, Any] | None) -> Failure | None:
    """The failure in a column, if there is one."""
    return Failure(plain["code"], plain["message"]) if plain else None


def add_task(c: Connection, job_id: str, kind: str, stage: Stage, queue: str) -> int:
    """One more task for a job; its number."""
    newest = c.execute(sa.select(sa.func.max(JOB_TASKS.c.number)).where(JOB_TASKS.c.job_id == job_id)).scalar()
    number = (newest or 0) + 1
    c.execute(
        JOB_TASKS.insert(),
        {
            "job_id": job_id,
            "number": number,
            "stage": stage,
            "kind": kind,
            "queue": queue,
            "status": "waiting",
            "attempts": 0,
        },
    )
    return number


def chunked(numbers: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    """Page numbers in runs of at most ``size``."""
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


def drop_open_tasks(c: Connection, job_id: str) -> None:
    """Take a job off its queues; executions of its tasks find that they own nothing any more."""
    tasks = JOB_TASKS.update().where(JOB_TASKS.c.job_id == job_id, JOB_TASKS.c.status.in_(OPEN))
    c.execute(tasks.values(status="dropped", owner=None))
    pages = JOB_PAGES.update().where(JOB_PAGES.c.job_id == job_id, JOB_PAGES.c.status == "running")
    c.execute(pages.values(status="waiting"))


def _check(new: NewJob) -> None:
    for what, name, longest in (("kind", new.kind, 40), ("queue", new.queue, 200), ("model", new.model or "-", 200)):
        if not 0 < len(name) <= longest:
            raise UsageError(f"The {what} of a job needs a name of at most {longest} characters.")


def _fresh(new: NewJob) -> dict[str, object]:
    return {
        "kind": new.kind,
        "queue": new.queue,
        "payload": dict(new.payload),
        "model": new.model,
        "source": new.source,
        "priority": new.priority,
        "status": "queued",
        "planned": False,
        "total": 0,
        "done": 0,
        "failed": 0,
        "seq": 0,
        "images_kept": True,
        "created_at": now(),
    }


def _again(c: Connection, row: Row[Any], chunk: int) -> None:
    """Tasks for whatever of a job is not done: its plan, some of its pages, or only its end."""
    if not row.planned:
        add_task(c, row.id, row.kind, "plan", parent_queue(row.kind))
        return
    left = sa.select(JOB_PAGES.c.number).where(JOB_PAGES.c.job_id == row.id, JOB_PAGES.c.status != "done")
    numbers = c.execute(left.order_by(JOB_PAGES.c.number)).scalars().all()
    if not numbers:
        add_task(c, row.id, row.kind, "finish", parent_queue(row.kind))
    for part in chunked(numbers, chunk):
        task = add_task(c, row.id, row.kind, "pages", row.queue)
        these = JOB_PAGES.update().where(JOB_PAGES.c.job_id == row.id, JOB_PAGES.c.number.in_(part))
        c.execute(these.values(task=task, status="waiting", attempts=0, error=sa.null()))
