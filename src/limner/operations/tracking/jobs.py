"""What is noted of jobs: looked up in the database, and handed to the tracker where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial

from limner.core.errors import LimnerError, NotFoundError
from limner.models.bundle import Bundle
from limner.operations.services import Services
from limner.operations.tracking.writer import Run
from limner.storage.database import Database
from limner.storage.jobs import Job, Status
from limner.storage.pages import JobPages
from limner.storage.workspaces import Workspaces


class JobTracking:
    """Notes the pages and the ends of jobs; does nothing where nothing is tracked. Raises nothing."""

    def __init__(self, database: Database, services: Services) -> None:
        self._db = database
        self._services = services
        self._tracker = self.tracker = services.tracker

    def run_of(self, job: Job, bundle: Bundle | None = None) -> Run | None:
        """The run that a job's pages are noted in; None where nothing is tracked."""
        if self._tracker is None:
            return None
        try:
            workspace = Workspaces(self._db).get(job.workspace_id).name
        except LimnerError:  # it is noted under its id then, which is better than not at all
            workspace = job.workspace_id
        return self._tracker.job_run(job, bundle, workspace)

    def page(self, run: Run | None, number: int, seconds: Mapping[str, float]) -> None:
        """A page is done; ``number`` counts from 0."""
        if run is not None and self._tracker is not None:
            self._tracker.page(run, number, seconds)

    def ended(self, job: Job, status: Status) -> None:
        """A job has ended. Its figures are reckoned later, by the thread that sends them."""
        if self._tracker is not None and (run := self.run_of(job, self._bundle(job))) is not None:
            self._tracker.ended(run, job, status, partial(timings, self._db, job))

    def _bundle(self, job: Job) -> Bundle | None:
        try:
            return self._services.libraries.of(job.workspace_id).get(str(job.model))
        except LimnerError:  # this machine does not have it, or nobody has any more
            return None


def timings(database: Database, job: Job) -> Iterator[Mapping[str, float]]:
    """The seconds in each stage of every page that is done; none of a job that has been deleted meanwhile."""
    with suppress(NotFoundError):
        for _, result in JobPages(database, job.workspace_id).results(job.id):
            if result is not None and result.get("seconds"):
                yield result["seconds"]
