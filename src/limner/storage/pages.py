"""The pages of jobs: what a workspace reads of them, and the steps that each goes through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from limner.annotations.annotation import Json
from limner.core.errors import NotFoundError
from limner.storage.columns import iso, now
from limner.storage.database import Database
from limner.storage.jobs import Failure, failure_of, plain_failure
from limner.storage.tables import JOB_PAGES, JOB_RESULTS, JOBS

PageStatus: TypeAlias = Literal["waiting", "running", "done", "failed"]
#: Results read at one time, so that memory does not grow with the job.
_BATCH = 200


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """A page that a job is to work on."""

    #: What people call it: a file name.
    name: str
    #: What the handler needs to know of it.
    payload: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A page of a job as it stands."""

    #: Position in the job, from 0.
    number: int
    name: str
    payload: Mapping[str, Any]
    status: PageStatus
    #: How often it was begun.
    attempts: int
    error: Failure | None
    started_at: datetime | None
    finished_at: datetime | None

    def plain(self) -> dict[str, Json]:
        """The page as the API shows it."""
        return {
            "number": self.number,
            "name": self.name,
            "status": self.status,
            "attempts": self.attempts,
            "error": plain_failure(self.error),
            "started_at": iso(self.started_at),
            "finished_at": iso(self.finished_at),
        }


class JobPages:
    """The pages of the jobs of one workspace."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._db = database
        self._workspace = workspace_id

    def list(
        self, job_id: str, *, status: PageStatus | None = None, after: int = -1, limit: int = 100
    ) -> Sequence[JobPage]:
        """Pages after number ``after``, in order."""
        query = self._of(job_id).where(JOB_PAGES.c.number > after).limit(limit)
        if status is not None:
            query = query.where(JOB_PAGES.c.status == status)
        with self._db.read() as c:
            self._check(c, job_id)
            return [page_of(row) for row in c.execute(query)]

    def result(self, job_id: str, number: int) -> Any:  # noqa: ANN401 - any JSON value
        """What came of one page; raises `NotFoundError` unless it is done."""
        query = sa.select(JOB_RESULTS.c.data).where(JOB_RESULTS.c.job_id == job_id, JOB_RESULTS.c.number == number)
        with self._db.read() as c:
            self._check(c, job_id)
            found = c.execute(query).one_or_none()
        if found is None:
            raise NotFoundError(f"Page {number} of the job {job_id} has no result.")
        return found.data

    def results(self, job_id: str) -> Iterator[tuple[JobPage, Any]]:
        """All pages in order, each with what came of it, or None where it is not done."""
        with self._db.read() as c:
            self._check(c, job_id)
        joined = JOB_PAGES.outerjoin(
            JOB_RESULTS, (JOB_RESULTS.c.job_id == JOB_PAGES.c.job_id) & (JOB_RESULTS.c.number == JOB_PAGES.c.number)
        )
        query = self._of(job_id).add_columns(JOB_RESULTS.c.data).select_from(joined).limit(_BATCH)
        last = -1
        while True:
            with self._db.read() as c:
                rows = c.execute(query.where(JOB_PAGES.c.number > last)).all()
            yield from ((page_of(row), row.data) for row in rows)
            if len(rows) < _BATCH:
                return
            last = rows[-1].number

    def forget_results(self, job_id: str, first: int, count: int) -> None:
        """Forget what came of some pages that follow each other; that they were done stays known."""
        these = JOB_RESULTS.c.number.between(first, first + count - 1)
        with self._db.write() as c:
            self._check(c, job_id)
            c.execute(JOB_RESULTS.delete().where(JOB_RESULTS.c.job_id == job_id, these))

    def _of(self, job_id: str) -> sa.Select[Any]:
        return sa.select(JOB_PAGES).where(JOB_PAGES.c.job_id == job_id).order_by(JOB_PAGES.c.number)

    def _check(self, c: Connection, job_id: str) -> None:
        query = sa.select(JOBS.c.id).where(JOBS.c.id == job_id, JOBS.c.workspace_id == self._workspace)
        if c.execute(query).one_or_none() is None:
            raise NotFoundError(f"There is no job {job_id}.")


def page_of(row: Row[Any]) -> JobPage:
    """The page in a row of its table."""
    values = row._asdict()
    same = {name: values[name] for name in JobPage.__slots__ if name != "error"}
    return JobPage(**same, error=failure_of(values["error"]))


def add_pages(c: Connection, job_id: str, pages: Sequence[PlannedPage], tasks: Sequence[int]) -> None:
    """The pages of a job, in order, each with the number of its task."""
    rows = [
        {
            "job_id": job_id,
            "number": number,
            "name": page.name,
            "payload": dict(page.payload),
            "task": task,
            "status": "waiting",
            "attempts": 0,
        }
        for number, (page, task) in enumerate(zip(pages, tasks, strict=True))
    ]
    if rows:
        c.execute(JOB_PAGES.insert(), rows)


def left_of(c: Connection, job_id: str, task: int) -> Sequence[JobPage]:
    """The pages of a task that are neither done nor failed, in order."""
    query = sa.select(JOB_PAGES).where(JOB_PAGES.c.job_id == job_id, JOB_PAGES.c.task == task)
    rows = c.execute(query.where(JOB_PAGES.c.status.in_(("waiting", "running"))).order_by(JOB_PAGES.c.number))
    return [page_of(row) for row in rows]


# Made once: these are executed for every page.
_ONE = JOB_PAGES.update().where(JOB_PAGES.c.job_id == sa.bindparam("job"), JOB_PAGES.c.number == sa.bindparam("page"))
_BEGIN = _ONE.values(status="running", attempts=JOB_PAGES.c.attempts + 1, started_at=sa.bindparam("at"))
_SETTLE = _ONE.values(status="done", error=sa.null(), finished_at=sa.bindparam("at"))
_KEEP = JOB_RESULTS.insert()


def begin(c: Connection, job_id: str, number: int) -> None:
    """Count an attempt before it is made: one that ends the process has then been counted."""
    c.execute(_BEGIN, {"job": job_id, "page": number, "at": now()})


def settle(c: Connection, job_id: str, number: int, result: Mapping[str, Json]) -> None:
    """A page is done."""
    c.execute(_SETTLE, {"job": job_id, "page": number, "at": now()})
    c.execute(_KEEP, {"job_id": job_id, "number": number, "data": result})


def fail(c: Connection, job_id: str, number: int, failure: Failure, *, again: bool) -> None:
    """A page has failed, for good or until its next attempt."""
    values = {"status": "waiting" if again else "failed", "error": failure.plain(), "finished_at": now()}
    c.execute(_ONE.values(**values), {"job": job_id, "page": number})
