"""The runs of a workspace, as clients make and manage them. A run is a job, and has its id."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.annotations.annotation import Json
from limner.core.errors import ConflictError, NotFoundError
from limner.jobs.engine import JobEngine
from limner.models.bundle import checked_name
from limner.operations.jobs.desk import HIGHEST, JobDesk
from limner.operations.runs.handler import QUEUE, TrainHandler
from limner.operations.runs.places import TrainingPlace
from limner.operations.runs.prepare import missing_modules, need_train_extra, prepare
from limner.operations.runs.process import Machine, measured
from limner.operations.runs.progress import RunProgress, config_of, metrics_of, progress_of, result_of, sample_numbers
from limner.operations.runs.promotion import Promoter, Promotion, note_promotion, promotion_of
from limner.operations.services import Services
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.jobs import Job, Jobs, NewJob, Status
from limner.storage.pages import JobPages
from limner.training.config import RunConfig, make_config, render_config
from limner.training.fitting.folder import RunFolder

__all__ = ["HIGHEST", "RunDesk", "RunState"]

#: Held while a run is measured: two at once would measure each other.
_MEASURING = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A run as it stands."""

    job: Job
    #: Once it has begun with the choices of its architecture, before that with those that were asked for.
    config: RunConfig
    progress: RunProgress
    #: Name and version of the model that came out.
    model: str | None
    #: Figures on the validation pages at the end.
    figures: Mapping[str, float]
    #: Epochs after which pictures were drawn.
    samples: Sequence[int]
    promotion: Mapping[str, Json] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDesk:
    """The runs of one workspace. All methods block."""

    database: Database
    blobs: Blobs
    services: Services
    engine: JobEngine
    workspace_id: str

    @property
    def place(self) -> TrainingPlace:
        """Where the workspace's datasets, runs and models are."""
        store = self.services.libraries.of(self.workspace_id).store
        return TrainingPlace.of_workspace(self.services.settings.data, self.workspace_id, store)

    def create(self, values: Mapping[str, object], base: str, *, alias: str | None = None, priority: int = 0) -> Job:
        """Put a run into the queue; ``values`` are those of `RunConfig`, ``base`` as in `JobDesk.submit`.

        Its model becomes a version of its name when it is there; ``alias`` then stands for it if it is better.
        Raises what `prepare` does, and `MissingExtraError` where nobody here could carry it out.
        """
        self._need_somebody()
        prepared = prepare(values, self.place)
        config: Json = json.loads(render_config(prepared.config, asked=True))
        payload: dict[str, Json] = {"config": config, "title": prepared.config.name, "base": base}
        if prepared.base is not None:
            payload["begins_with"] = str(prepared.base)
        if alias is not None:
            payload["alias"] = checked_name(alias, "an alias")
        name, source = prepared.config.name, prepared.config.dataset
        new = NewJob(kind=TrainHandler.kind, queue=QUEUE, payload=payload, model=name, source=source, priority=priority)
        return self.engine.submit(self.workspace_id, new)

    def estimate(self, values: Mapping[str, object]) -> Mapping[str, Any]:
        """How long a run would take and how much memory, measured by a few of its batches; raises as `create` does."""
        need_train_extra()
        prepared = prepare(values, self.place)
        with _MEASURING, tempfile.TemporaryDirectory(prefix="limner-measure-") as folder:
            path = RunFolder(Path(folder) / "run")
            prepared.write(path)
            return measured(path, Machine(self.services.settings.threads))

    def get(self, run_id: str) -> RunState:
        """A run as it stands; raises `NotFoundError`."""
        return self._state(self._job(run_id))

    def folder(self, run_id: str) -> RunFolder:
        """Where a run's files are; raises `NotFoundError`."""
        return self.place.run(self._job(run_id).id)

    def metrics(self, run_id: str, after: int = 0) -> list[dict[str, Any]]:
        """The figures of a run so far, from after some batch on."""
        return [line for line in metrics_of(self.folder(run_id)) if line["batch"] > after]

    def report(self, run_id: str) -> Mapping[str, Any]:
        """The figures at the end; raises `ConflictError` before that."""
        result = result_of(self.folder(run_id))
        if result is None:
            raise ConflictError("The run is not finished: there is no report yet.")
        return result

    def stop(self, run_id: str) -> RunState:
        """Have a run write a checkpoint and end; raises `ConflictError` where it has ended."""
        return self._state(self._job_desk.cancel(self._job(run_id).id))

    def resume(self, run_id: str) -> RunState:
        """Take a run up again that was stopped or has failed, from its last checkpoint; raises `ConflictError`."""
        return self._state(self.engine.retry(self.workspace_id, self._job(run_id).id))

    def promote(self, run_id: str, alias: str, *, force: bool = False) -> Promotion:
        """Let an alias stand for a run's model, where it is better on held-out pages; see `Promoter.promote`."""
        folder, checked = self.folder(run_id), checked_name(alias, "an alias")
        library = self.services.libraries.of(self.workspace_id)
        promoter = Promoter(library.store, library.use, self.services.settings)
        dataset = self.place.datasets.get(self._job(run_id).payload["config"]["dataset"])
        promotion = promoter.promote(folder, dataset, checked, force=force)
        note_promotion(folder, promotion)
        return promotion

    def list(self, *, limit: int, before: str | None = None, status: Status | None = None) -> list[RunState]:
        """Runs, the newest first."""
        found = self._jobs.list(limit=limit, before=before, status=status, kind=TrainHandler.kind)
        return [self._state(job) for job in found]

    def delete(self, run_id: str) -> None:
        """Forget a run that has ended, with its folder; the model that came out stays."""
        folder = self.folder(run_id)
        self._job_desk.delete(run_id)
        shutil.rmtree(folder.path, ignore_errors=True)

    def _state(self, job: Job) -> RunState:
        folder = self.place.run(job.id)
        result = result_of(folder) or {}
        return RunState(
            job=job,
            config=config_of(folder) or make_config(job.payload["config"]),
            progress=progress_of(folder),
            model=self._model(job),
            figures=result.get("figures", {}),
            samples=sample_numbers(folder),
            promotion=promotion_of(folder),
        )

    def _model(self, job: Job) -> str | None:
        if not job.pages.done:
            return None
        return str(JobPages(self.database, self.workspace_id).result(job.id, 0)["model"])

    def _job(self, run_id: str) -> Job:
        job = self._jobs.get(run_id)
        if job.kind != TrainHandler.kind:
            raise NotFoundError(f"There is no run {run_id}.")
        return job

    def _need_somebody(self) -> None:
        """Raise `MissingExtraError` unless this process or some worker can train."""
        if missing_modules() and not any(
            TrainHandler.kind in worker.kinds and worker.state == "alive" for worker in self.engine.overview().workers
        ):
            need_train_extra()

    @property
    def _jobs(self) -> Jobs:
        return Jobs(self.database, self.workspace_id)

    @property
    def _job_desk(self) -> JobDesk:
        return JobDesk(
            database=self.database,
            blobs=self.blobs,
            services=self.services,
            engine=self.engine,
            workspace_id=self.workspace_id,
        )
