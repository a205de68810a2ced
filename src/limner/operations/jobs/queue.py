"""How much there is to do, and who does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from limner.jobs.engine import JobEngine
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.engine.workers import Worker
from limner.storage.jobs import Jobs, Status
from limner.storage.workspaces import Workspaces

_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReport:
    """The queues as they are now, of all workspaces together."""

    #: Tasks that wait, and those that are being worked on: a task is a chunk of pages.
    waiting: int
    running: int
    #: Jobs of one workspace that wait, and that are being worked on.
    jobs_queued: int
    jobs_running: int
    #: Seconds since the oldest job was made that still waits; 0 where none does.
    oldest: float
    workers: Sequence[Worker]


def queue_report(database: Database, engine: JobEngine, workspace_id: str) -> QueueReport:
    """Look at the queues."""
    overview = engine.overview()
    mine = {status: _made(database, workspace_id, status) for status in ("queued", "running")}
    waiting = [moment for each in Workspaces(database).list() for moment in _made(database, each.id, "queued")]
    return QueueReport(
        waiting=sum(queue.waiting for queue in overview.queues),
        running=sum(queue.running for queue in overview.queues),
        jobs_queued=len(mine["queued"]),
        jobs_running=len(mine["running"]),
        oldest=max(0.0, (now() - min(waiting)).total_seconds()) if waiting else 0.0,
        workers=[worker for worker in overview.workers if worker.state == "alive"],
    )


def _made(database: Database, workspace_id: str, status: Status) -> list[datetime]:
    """When the jobs in a state were made."""
    jobs, out, last = Jobs(database, workspace_id), list[datetime](), None
    while found := jobs.list(limit=_BATCH, before=last, status=status):
        out += [job.created_at for job in found]
        last = found[-1].id
    return out
