"""How much there is to do, and who does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from limner.jobs.engine import JobEngine
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.engine.workers import Worker
from limner.storage.jobs import Jobs


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
    overview, jobs = engine.overview(), Jobs(database, workspace_id)
    since = overview.waiting_since
    return QueueReport(
        waiting=sum(queue.waiting for queue in overview.queues),
        running=sum(queue.running for queue in overview.queues),
        jobs_queued=jobs.count("queued"),
        jobs_running=jobs.count("running"),
        oldest=max(0.0, (now() - since).total_seconds()) if since else 0.0,
        workers=[worker for worker in overview.workers if worker.state == "alive"],
    )
