"""The job engine: jobs go in, workers take them up, whoever asks is told how far they are.

Submitting, cancelling and trying again need only the database, so a process may do that without
working itself. `JobEngine.start` makes it a worker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from limner.core.errors import ConflictError
from limner.jobs.events import Bus
from limner.jobs.protocol import Handler
from limner.jobs.worker import EngineOptions, Worker
from limner.storage.database import Database
from limner.storage.engine.board import Board, QueueState
from limner.storage.engine.workers import Worker as WorkerState
from limner.storage.engine.workers import Workers
from limner.storage.jobs import Job, Jobs, NewJob


@dataclass(frozen=True, slots=True)
class Overview:
    """What is going on."""

    queues: Sequence[QueueState]
    workers: Sequence[WorkerState]
    #: When the oldest job was made that was not begun yet.
    waiting_since: datetime | None = None


class JobEngine:
    """Jobs in a database, and a worker for those kinds that there are handlers for."""

    def __init__(
        self,
        database: Database,
        handlers: Iterable[Handler] = (),
        *,
        folder: Path,
        options: EngineOptions | None = None,
    ) -> None:
        self.bus = Bus()
        self._db = database
        self._options = options or EngineOptions()
        self._handlers = {handler.kind: handler for handler in handlers}
        self._folder = folder
        self._board = Board(database)
        self._worker: Worker | None = None

    def start(self) -> None:
        """Begin to work: what this process left when it last ended, then what waits."""
        if self._worker is not None:
            raise ConflictError("The job engine is running already.")
        worker = Worker(self._db, self._handlers, self._folder, self._options, self.bus)
        worker.start()
        self._worker = worker

    def stop(self, grace: float = 10.0) -> None:
        """Finish the pages under way, within ``grace`` seconds; the rest goes on later or elsewhere."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            worker.stop(grace)

    def submit(self, workspace_id: str, new: NewJob) -> Job:
        """Put a job into its queue."""
        job = Jobs(self._db, workspace_id).add(new)
        self._changed(job.id)
        return job

    def cancel(self, workspace_id: str, job_id: str) -> Job:
        """Cancel a job; its handlers are told within a second, here and elsewhere. What is done stays."""
        job = Jobs(self._db, workspace_id).cancel(job_id)
        self._changed(job_id)
        return job

    def retry(self, workspace_id: str, job_id: str) -> Job:
        """Do again those pages of a job that failed, or that were not reached before it was cancelled."""
        job = Jobs(self._db, workspace_id).retry(job_id, chunk=self._options.chunk)
        self._changed(job_id)
        return job

    def wait(self, workspace_id: str, job_id: str, timeout: float = 60.0) -> Job:
        """Block until a job has ended; raises `TimeoutError`."""
        jobs, changed, deadline = Jobs(self._db, workspace_id), threading.Event(), time.monotonic() + timeout
        with self.bus.woken(job_id, changed.set):
            while not (job := jobs.get(job_id)).final:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"The job {job_id} is still {job.status} after {timeout:g} s.")
                changed.wait(0.1)
                time.sleep(0.01)  # a job with quick pages changes more often than one need look
                changed.clear()
        return job

    def overview(self) -> Overview:
        """The queues that have something to do, and the workers."""
        return Overview(self._board.queues(), Workers(self._db).all(), self._board.waiting_since())

    def reap(self) -> int:
        """Look after the work of dead workers now; how many lanes and tasks were rescued."""
        return self._worker.keeper.rescue() if self._worker else 0

    def forget_lanes(self, before: datetime) -> int:
        """Forget what DBOS keeps of lanes that ended before then; how many. For a process that works."""
        return self._worker.forget_lanes(before) if self._worker else 0

    @property
    def running(self) -> bool:
        """Whether this process works."""
        return self._worker is not None

    def _changed(self, job_id: str) -> None:
        self.bus.publish(job_id)
        if self._worker is not None:
            self._worker.wake()
