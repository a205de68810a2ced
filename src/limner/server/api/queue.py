"""How much there is to do."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from limner.operations.jobs.queue import QueueReport, queue_report
from limner.server.auth import Caller
from limner.server.deps import CallerDep, StateDep
from limner.storage.engine.workers import Worker

router = APIRouter(prefix="/v1/queue", tags=["queue"])


class WorkerAnswer(BaseModel):
    """A process that works on jobs."""

    id: str
    host: str
    kinds: list[str]
    started_at: datetime
    seen_at: datetime


class MyJobsAnswer(BaseModel):
    """Jobs of the workspace."""

    queued: int
    running: int


class QueueAnswer(BaseModel):
    """The queues as they are now."""

    depth: int = Field(description="Tasks that wait, of all workspaces: a task is a chunk of pages.")
    running: int = Field(description="Tasks that are being worked on.")
    oldest_seconds: float = Field(description="How long the oldest job has waited that was not begun yet; 0 for none.")
    jobs: MyJobsAnswer
    workers: int = Field(description="Processes that work.")
    worker_list: list[WorkerAnswer] | None = Field(default=None, description="Which; for the server's admins.")

    @classmethod
    def of(cls, report: QueueReport, caller: Caller, home: str) -> QueueAnswer:
        """As the API shows it."""
        shown = caller.is_admin and caller.workspace_id == home
        return cls(
            depth=report.waiting,
            running=report.running,
            oldest_seconds=round(report.oldest, 3),
            jobs=MyJobsAnswer(queued=report.jobs_queued, running=report.jobs_running),
            workers=len(report.workers),
            worker_list=[_worker(worker) for worker in report.workers] if shown else None,
        )


def _worker(worker: Worker) -> WorkerAnswer:
    return WorkerAnswer(
        id=worker.id, host=worker.host, kinds=[*worker.kinds], started_at=worker.started_at, seen_at=worker.seen_at
    )


@router.get("", summary="Look at the queue")
def get(state: StateDep, caller: CallerDep) -> QueueAnswer:
    """How much waits, how much is being done, and by how many."""
    return QueueAnswer.of(queue_report(state.database, state.engine, caller.workspace_id), caller, state.home)
