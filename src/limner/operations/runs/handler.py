"""The kind of job that trains: a process of its own does the work, and this watches over it.

A job has one page, which stands for the whole run. What is interrupted, by whoever or whatever, goes on from the
run's last checkpoint.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.annotations.annotation import Json
from limner.core.errors import CancelledError, LimnerError, TrainingError
from limner.jobs.protocol import Context, Done, Failed, Outcome, failure
from limner.models.bundle_files import write_text
from limner.operations.runs.figures import files_of, note_curves, write_figures
from limner.operations.runs.places import TrainingPlace
from limner.operations.runs.prepare import Prepared
from limner.operations.runs.process import Machine, TrainingProcess
from limner.operations.runs.progress import Log, result_of
from limner.operations.runs.promotion import Promoter, note_promotion, register
from limner.operations.runs.slots import Slots
from limner.operations.services import Services
from limner.operations.tracking.jobs import JobTracking
from limner.operations.tracking.writer import Run
from limner.storage.blobs import Blobs
from limner.storage.database import Database, StorageError
from limner.storage.jobs import Failure, Job
from limner.storage.pages import JobPage, JobPages, PlannedPage
from limner.training.config import make_config
from limner.training.fitting.folder import RunFolder

logger = logging.getLogger(__name__)

#: The queue of all runs: they never share one with jobs that annotate.
QUEUE = "train"
#: Times that a run may be interrupted before it is given up; somebody can then take it up again.
ATTEMPTS = 30
#: Times that the process may crash without having come to another checkpoint.
CRASHES = 3
#: Seconds between two events.
_PAUSE = 1.0


class RunFailedError(TrainingError):
    """The run has failed."""

    def __init__(self, failed: Failure) -> None:
        super().__init__(failed.message)
        self.code = failed.code  # type: ignore[misc]  # that of the error in the other process


class TrainHandler:
    """Carries runs out. Payload: ``config`` (what was asked for), ``begins_with`` (folder of a model), ``alias``."""

    kind = "train"

    def __init__(self, database: Database, blobs: Blobs, services: Services) -> None:
        self._db = database
        self._blobs = blobs
        self._services = services
        self._settings = services.settings
        self._tracking = JobTracking(database, services)
        self._slots = Slots(self._settings.data)

    def plan(self, job: Job, context: Context) -> Sequence[PlannedPage]:  # noqa: ARG002 - it takes no time
        """One page: the run."""
        self._prepare(job)
        return [PlannedPage(str(job.payload["config"]["name"]), {})]

    def run(self, job: Job, pages: Sequence[JobPage], context: Context) -> Iterator[Outcome]:  # noqa: ARG002
        """Learn, or go on learning."""
        folder = self._prepare(job)
        run = self._tracking.run_of(job)
        if result_of(folder) is None:
            devices = int(job.payload["config"].get("devices") or 1)
            with self._slots.taken(devices, context.wait) as (gpus, files):
                machine = Machine(self._settings.threads, gpus, files)
                failed = _Watch(folder, machine, context, self._tracking, run).through()
            self._write_figures(job, folder)
            if failed is not None:
                yield failed
                return
        yield self._taken_in(job, folder, run)

    def finish(self, job: Job, context: Context) -> None:  # noqa: ARG002
        """Promote the model where that was wished for; raises what the run has failed with."""
        (page,) = JobPages(self._db, job.workspace_id).list(job.id)
        if page.error is not None and page.status == "failed":
            raise RunFailedError(page.error)
        alias = job.payload.get("alias")
        if not alias:
            return
        folder, place = self._folder(job), self._place(job)
        promoter = Promoter(place.models, self._services.libraries.of(job.workspace_id).use, self._settings)
        dataset = place.datasets.get(job.payload["config"]["dataset"])
        try:
            note_promotion(folder, promoter.promote(folder, dataset, str(alias)))
        except LimnerError as error:  # the model is there: whether it is better, somebody may ask again
            logger.warning("Run %s: %s was not promoted: %s", job.id, alias, error)

    def _taken_in(self, job: Job, folder: RunFolder, run: Run | None) -> Outcome:
        """The model among those of the workspace."""
        try:
            bundle = register(folder, self._place(job).models)
        except LimnerError as error:
            return Failed(failure(error))
        result = result_of(folder) or {}
        if run is not None and self._services.tracker is not None:
            self._services.tracker.files(run, files_of(folder))
        return Done({"model": bundle.ref, "figures": dict(result["figures"]), "batches": result["batches"]})

    def _write_figures(self, job: Job, folder: RunFolder) -> None:
        try:
            write_figures(self._blobs, job.id, folder)
        except StorageError as error:
            logger.warning("The figures of run %s were not written: %s", job.id, error)

    def _prepare(self, job: Job) -> RunFolder:
        folder, payload = self._folder(job), job.payload
        base = Path(payload["begins_with"]) if payload.get("begins_with") else None
        Prepared(make_config(payload["config"]), self._place(job).datasets.folder, base).write(folder)
        return folder

    def _folder(self, job: Job) -> RunFolder:
        return self._place(job).run(job.id)

    def _place(self, job: Job) -> TrainingPlace:
        store = self._services.libraries.of(job.workspace_id).store
        return TrainingPlace.of_workspace(self._settings.data, job.workspace_id, store)


@dataclass(frozen=True, slots=True)
class _Watch:
    """One time that the process of a run is started."""

    folder: RunFolder
    machine: Machine
    context: Context
    tracking: JobTracking
    run: Run | None

    def through(self) -> Failed | None:
        """Until it has ended: None where the run is finished. Raises `CancelledError` when it is time to stop."""
        log = Log(self.folder.metrics, from_end=True)
        self.context.check()
        process = TrainingProcess(self.folder, self.machine)
        try:
            self.context.on_cancel(process.stop)
            for lines in process.follow(log, lambda _: self.context.wait(_PAUSE)):
                if self.context.cancelled():
                    break
                self._tell(lines)
        finally:
            stopped = process.status is None
            if stopped:
                process.end()
        if self.context.cancelled():
            raise CancelledError
        return self._outcome(process)

    def _tell(self, lines: list[dict[str, Any]]) -> None:
        if lines:
            told: list[Json] = [*lines]
            self.context.progress({"metrics": told})
            note_curves(self.tracking.tracker, self.run, lines)

    def _outcome(self, process: TrainingProcess) -> Failed | None:
        problem = process.problem()
        if problem is not None:
            known = self.folder.error.is_file()  # it said why, and would say so again
            return Failed(Failure(*problem), again=not known and _crashes(self.folder) < CRASHES)
        if result_of(self.folder) is None:
            return Failed(Failure(TrainingError.code, "The training process was told to stop by somebody."), again=True)
        return None


def _crashes(folder: RunFolder) -> int:
    """Count one more crash; how many there were since the last checkpoint."""
    path = folder.path / "crashes.json"
    checkpoint = folder.checkpoint.stat().st_mtime_ns if folder.checkpoint.exists() else 0
    known: Mapping[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    count = known["count"] + 1 if known.get("checkpoint") == checkpoint else 1
    write_text(path, json.dumps({"checkpoint": checkpoint, "count": count}) + "\n")
    return count
