"""The board that workers take their tasks from, for all workspaces.

A task is what is taken at one go: to plan a job, to work through a chunk of its pages, or to finish
it. Whoever takes one is given it under a fresh *owner* id, and everything written for it names that
owner: an execution whose task was cancelled, given to another or begun anew cannot write any more,
and learns so by `LostClaimError`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from limner.annotations.annotation import Json
from limner.core.errors import LimnerError
from limner.storage import pages
from limner.storage.columns import now
from limner.storage.database import Database, insert_if_absent
from limner.storage.jobs import (
    Failure,
    Job,
    PageCounts,
    Stage,
    add_task,
    chunked,
    drop_open_tasks,
    job_in,
    parent_queue,
    record,
)
from limner.storage.pages import JobPage, PlannedPage
from limner.storage.tables import JOB_PAGES, JOB_TASKS, JOBS, OPEN, QUEUES, TURNS


class LostClaimError(LimnerError):
    """The task was cancelled, or is another's by now."""

    code = "lost-claim"


@dataclass(frozen=True, slots=True)
class Task:
    """A task that has been taken."""

    job: Job
    #: Counts from 1 in each job.
    number: int
    stage: Stage
    #: How often it was taken, this time included.
    attempts: int
    #: The one execution that may write for it.
    owner: str


@dataclass(frozen=True, slots=True)
class QueueState:
    """How much there is to do in a queue."""

    name: str
    kind: str
    #: Tasks that wait.
    waiting: int
    #: Tasks that are being worked on.
    running: int


@dataclass(frozen=True, slots=True)
class PageStep:
    """What came of a page: a result, or a failure."""

    number: int
    result: dict[str, Json] | None = None
    failure: Failure | None = None
    #: Whether a page that failed is to be tried again.
    again: bool = False


class Board:
    """All open tasks."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def queues(self) -> Sequence[QueueState]:
        """Every queue that has something to do."""
        tasks = JOB_TASKS.c
        counts = [sa.func.count().filter(tasks.status == status).label(status) for status in OPEN]
        # Written out, so that the index of open tasks serves: it is asked for twice a second.
        query = sa.select(tasks.queue, tasks.kind, *counts).where(sa.text("status IN ('waiting', 'running')"))
        with self._db.read() as c:
            rows = c.execute(query.group_by(tasks.queue, tasks.kind).order_by(tasks.queue)).all()
        return [QueueState(row.queue, row.kind, row.waiting, row.running) for row in rows]

    def waiting_since(self) -> datetime | None:
        """When the oldest job was made that was not begun yet, in any workspace; None where all were."""
        oldest: sa.Select[datetime | None] = sa.select(sa.func.min(JOBS.c.created_at)).where(JOBS.c.status == "queued")
        with self._db.read() as c:
            return c.execute(oldest).scalar_one()

    def take(
        self, queue: str, lane: str, owner: str, *, kinds: Collection[str], overall: int | None = None
    ) -> Task | None:
        """The lane's own task where it has one that was interrupted, else the one whose turn it is.

        Turns go round the workspaces that have something waiting; within a workspace the highest
        priority and then the oldest job comes first. With ``overall`` tasks of the queue running
        anywhere, there is none.
        """
        with self._db.write() as c:
            return self._taken_up(c, lane, owner, kinds) or self._next(c, queue, lane, owner, kinds, overall)

    def _taken_up(self, c: Connection, lane: str, owner: str, kinds: Collection[str]) -> Task | None:
        query = sa.select(JOB_TASKS).where(JOB_TASKS.c.lane == lane, JOB_TASKS.c.status == "running")
        row = c.execute(query.where(JOB_TASKS.c.kind.in_(kinds))).one_or_none()
        if row is None or not _locked(c, row.job_id):
            return None
        return _assign(c, row, lane, owner)

    def _next(
        self, c: Connection, queue: str, lane: str, owner: str, kinds: Collection[str], overall: int | None
    ) -> Task | None:
        turn = c.execute(
            QUEUES.update().where(QUEUES.c.name == queue).values(clock=QUEUES.c.clock + 1).returning(QUEUES.c.clock)
        ).scalar_one_or_none()
        if turn is None or (overall is not None and _running(c, queue) >= overall):
            return None
        job = c.execute(_WHOSE_TURN, {"queue": queue, "kinds": list(kinds)}).one_or_none()
        if job is None or not _locked(c, job.id):
            return None
        of_job = sa.select(JOB_TASKS).where(JOB_TASKS.c.job_id == job.id, JOB_TASKS.c.queue == queue)
        waiting = of_job.where(JOB_TASKS.c.status == "waiting").order_by(JOB_TASKS.c.number).limit(1)
        row = c.execute(waiting).one_or_none()
        if row is None:  # it was cancelled while we waited for the lock
            return None
        _give_turn(c, queue, job.workspace_id, turn)
        return _assign(c, row, lane, owner)

    def give_back(self, lane: str) -> bool:
        """Put back what a lane holds, for anybody to take; whether it held anything."""
        held = sa.select(JOB_TASKS.c.job_id, JOB_TASKS.c.number)
        with self._db.write() as c:
            row = c.execute(held.where(JOB_TASKS.c.lane == lane, JOB_TASKS.c.status == "running")).one_or_none()
            if row is None or not _locked(c, row.job_id):
                return False
            task = JOB_TASKS.update().where(JOB_TASKS.c.job_id == row.job_id, JOB_TASKS.c.number == row.number)
            still = (JOB_TASKS.c.lane == lane) & (JOB_TASKS.c.status == "running")
            if not c.execute(task.where(still).values(status="waiting", lane=None, owner=None)).rowcount:
                return False
            begun = JOB_PAGES.update().where(JOB_PAGES.c.job_id == row.job_id, JOB_PAGES.c.task == row.number)
            c.execute(begun.where(JOB_PAGES.c.status == "running").values(status="waiting"))
            return True

    def lanes(self) -> Sequence[str]:
        """The lanes that hold a task."""
        with self._db.read() as c:
            return c.execute(sa.select(JOB_TASKS.c.lane).where(JOB_TASKS.c.status == "running")).scalars().all()

    def lost(self, owners: Collection[str]) -> set[str]:
        """Those of these owners who own nothing any more."""
        query = sa.select(JOB_TASKS.c.owner).where(JOB_TASKS.c.owner.in_(owners), JOB_TASKS.c.status == "running")
        with self._db.read() as c:
            return set(owners) - set(c.execute(query).scalars())

    def plan(self, task: Task, planned: Sequence[PlannedPage], *, chunk: int) -> None:
        """The pages of a job, and tasks for them; or for its end, where there are none."""
        job = task.job
        with self._claimed(task) as c:
            numbers = []
            for part in chunked(range(len(planned)), chunk):
                numbers += [add_task(c, job.id, job.kind, "pages", job.queue)] * len(part)
            pages.add_pages(c, job.id, planned, numbers)
            if not planned:
                add_task(c, job.id, job.kind, "finish", parent_queue(job.kind))
            _settle(c, task)
            record(c, job.id, "planned", changes={"planned": True, "total": len(planned)})

    def left(self, task: Task) -> Sequence[JobPage]:
        """The pages of a task that are still to be done."""
        with self._db.read() as c:
            return pages.left_of(c, task.job.id, task.number)

    def step(self, task: Task, ended: PageStep | None, begun: int | None) -> None:
        """Note what came of one page and that the next is begun, in one transaction."""
        with self._claimed(task, lasting=False) as c:
            if ended is not None:
                _end_page(c, task, ended)
            if begun is not None:
                pages.begin(c, task.job.id, begun)

    def progress(self, task: Task, data: dict[str, Json]) -> None:
        """Note how far a long piece of work is."""
        with self._claimed(task) as c:
            record(c, task.job.id, "progress", data)

    def settle_pages(self, task: Task) -> bool:
        """A chunk is through; whether it was the job's last, so that a task for its end was put up."""
        with self._claimed(task) as c:
            _settle(c, task)
            others = sa.select(JOB_TASKS.c.number).where(
                JOB_TASKS.c.job_id == task.job.id, JOB_TASKS.c.status.in_(OPEN)
            )
            if c.execute(others.limit(1)).one_or_none() is not None:
                return False
            add_task(c, task.job.id, task.job.kind, "finish", parent_queue(task.job.kind))
            return True

    def finish(self, task: Task, failure: Failure | None = None) -> None:
        """The end of a job: how its pages went, or a failure of the whole."""
        with self._claimed(task) as c:
            _settle(c, task)
            drop_open_tasks(c, task.job.id)
            counts = job_in(c, task.job.id).pages
            changes = {"status": "failed" if failure else _verdict(counts), "finished_at": now()}
            changes["error"] = failure.plain() if failure else sa.null()
            record(c, task.job.id, "finished", changes=changes)

    @contextmanager
    def _claimed(self, task: Task, *, lasting: bool = True) -> Iterator[Connection]:
        """A transaction that holds the task's job; raises `LostClaimError` where the task is not ours any more."""
        with self._db.write(lasting=lasting) as c:
            found = c.execute(_OWNED, {"job": task.job.id, "task": task.number, "owner": task.owner})
            if found.scalar_one_or_none() is None:
                raise LostClaimError
            yield c


# Made once: these are executed for every page.
_LOCK = sa.select(JOBS.c.id).where(JOBS.c.id == sa.bindparam("job")).with_for_update()
_OWNED = (
    sa.select(JOBS.c.id)
    .join(JOB_TASKS, JOB_TASKS.c.job_id == JOBS.c.id)
    .where(
        JOBS.c.id == sa.bindparam("job"),
        JOB_TASKS.c.number == sa.bindparam("task"),
        JOB_TASKS.c.owner == sa.bindparam("owner"),
        JOB_TASKS.c.status == "running",
    )
    # Both rows: a task that was taken away while we waited for its job is then seen as it is now.
    .with_for_update()
)


def _locked(c: Connection, job_id: str) -> bool:
    """Hold a job's row until the transaction ends; whether there is such a job."""
    return c.execute(_LOCK, {"job": job_id}).scalar_one_or_none() is not None


def _running(c: Connection, queue: str) -> int:
    query = sa.select(sa.func.count()).where(JOB_TASKS.c.queue == queue, JOB_TASKS.c.status == "running")
    return c.execute(query).scalar_one()


def _give_turn(c: Connection, queue: str, workspace: str, turn: int) -> None:
    key = {"queue": queue, "workspace_id": workspace}
    insert_if_absent(c, TURNS, {**key, "turn": turn})
    c.execute(TURNS.update().where(TURNS.c.queue == queue, TURNS.c.workspace_id == workspace), {"turn": turn})


def _assign(c: Connection, row: Row[Any], lane: str, owner: str) -> Task | None:
    mine = JOB_TASKS.update().where(JOB_TASKS.c.job_id == row.job_id, JOB_TASKS.c.number == row.number)
    unchanged = (JOB_TASKS.c.status == row.status) & JOB_TASKS.c.owner.is_not_distinct_from(row.owner)
    values = {"status": "running", "lane": lane, "owner": owner, "attempts": JOB_TASKS.c.attempts + 1}
    if not c.execute(mine.where(unchanged).values(**values)).rowcount:
        return None
    job = job_in(c, row.job_id)
    if row.stage == "pages" and job.status == "queued":
        changes = {"status": "running", "started_at": job.started_at or now()}
        record(c, row.job_id, "started", changes=changes)
    return Task(job_in(c, row.job_id), row.number, row.stage, row.attempts + 1, owner)


def _settle(c: Connection, task: Task) -> None:
    mine = JOB_TASKS.update().where(JOB_TASKS.c.job_id == task.job.id, JOB_TASKS.c.number == task.number)
    c.execute(mine.values(status="settled", owner=None))


def _end_page(c: Connection, task: Task, ended: PageStep) -> None:
    if ended.failure is None:
        pages.settle(c, task.job.id, ended.number, ended.result or {})
        record(c, task.job.id, "page", {"number": ended.number, "outcome": "done"}, done=1)
        return
    pages.fail(c, task.job.id, ended.number, ended.failure, again=ended.again)
    outcome = "waiting" if ended.again else "failed"
    data: dict[str, Json] = {"number": ended.number, "outcome": outcome, "error": ended.failure.plain()}
    record(c, task.job.id, "page", data, failed=0 if ended.again else 1)


def _verdict(counts: PageCounts) -> str:
    if not counts.failed:
        return "succeeded"
    return "partly_failed" if counts.done else "failed"


def _whose_turn() -> sa.Select[Any]:
    """The job that is next in a queue."""
    waiting = sa.select(JOB_TASKS.c.job_id).where(
        JOB_TASKS.c.queue == sa.bindparam("queue"),
        JOB_TASKS.c.kind.in_(sa.bindparam("kinds", expanding=True)),
        sa.text("job_tasks.status = 'waiting'"),
    )
    turns = (TURNS.c.queue == sa.bindparam("queue")) & (TURNS.c.workspace_id == JOBS.c.workspace_id)
    query = sa.select(JOBS.c.id, JOBS.c.workspace_id).select_from(JOBS.outerjoin(TURNS, turns))
    order = (sa.func.coalesce(TURNS.c.turn, 0), JOBS.c.priority.desc(), JOBS.c.created_at, JOBS.c.id)
    return query.where(JOBS.c.id.in_(waiting)).order_by(*order).limit(1)


_WHOSE_TURN = _whose_turn()
