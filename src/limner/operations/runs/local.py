"""Runs without a server: each a folder among the data of this machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from limner.core.errors import ConflictError, NotFoundError, TrainingError
from limner.models.bundle import Bundle, checked_name
from limner.operations.runs.figures import files_of, note_curves, write_figures
from limner.operations.runs.places import TrainingPlace
from limner.operations.runs.prepare import need_train_extra, prepare
from limner.operations.runs.process import Machine, TrainingProcess
from limner.operations.runs.progress import Log, config_of, error_of, result_of
from limner.operations.runs.promotion import Promoter, Promotion, note_promotion, register
from limner.training.config import RunConfig
from limner.training.fitting.folder import RunFolder

if TYPE_CHECKING:
    from limner.operations.services import Services

Status = Literal["running", "finished", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class LocalRun:
    """A run in its folder."""

    folder: RunFolder
    config: RunConfig

    @property
    def id(self) -> str:
        """What it is called."""
        return self.folder.path.name

    @property
    def status(self) -> Status:
        """How it stands."""
        if _is_held(self.folder):
            return "running"
        if result_of(self.folder) is not None:
            return "finished"
        return "failed" if error_of(self.folder) is not None else "stopped"


@dataclass(frozen=True, slots=True)
class LocalRuns:
    """The runs of this machine."""

    services: Services

    @property
    def place(self) -> TrainingPlace:
        """Where datasets, runs and models are."""
        return TrainingPlace(self.services.settings.data, self.services.store)

    def make(self, values: Mapping[str, object]) -> LocalRun:
        """A new run, not begun; raises what `prepare` does, and `MissingExtraError`."""
        need_train_extra()
        prepared = prepare(values, self.place)
        stem = f"{prepared.config.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        names = (stem, *(f"{stem}-{number}" for number in range(2, 1000)))
        folder = next(each for name in names if not (each := self.place.run(name)).path.exists())
        prepared.write(folder)
        return LocalRun(folder, prepared.config)

    def get(self, run_id: str) -> LocalRun:
        """A run by its id; raises `NotFoundError`."""
        with suppress(NotFoundError):
            folder = self.place.run(run_id)
            if (config := config_of(folder)) is not None:
                return LocalRun(folder, config)
        raise NotFoundError(f"There is no run {run_id!r}.", hint="`limner runs list` shows those there are.")

    def list(self) -> Sequence[LocalRun]:
        """All runs, the newest first."""
        found = [path for path in self.place.runs.glob("*/") if (path / "config.json").is_file()]
        found.sort(key=lambda path: ((path / "job.json").stat().st_mtime, path.name), reverse=True)
        return [self.get(path.name) for path in found]

    def carry_out(self, run: LocalRun, tell: Callable[[Sequence[Mapping[str, Any]]], object]) -> bool:
        """Let it learn until it is finished, or somebody stops it; whether it is finished.

        ``tell`` hears each new line of its log, an empty list now and then besides. A KeyboardInterrupt has it write a
        checkpoint, and a second one ends it at once. Raises `TrainingError` saying what went wrong.
        """
        if run.status == "running":
            raise ConflictError(f"The run {run.id} is being carried out already.")
        tracker, settings = self.services.tracker, self.services.settings
        noted = None
        if tracker is not None:
            noted = tracker.training_run(run.id, run.id, run.config.model_dump(mode="json"))
        process, log = TrainingProcess(run.folder, Machine(settings.threads)), Log(run.folder.metrics, from_end=True)
        try:
            for lines in process.follow(log):
                note_curves(tracker, noted, lines)
                tell(lines)
        finally:
            if process.status is None:
                _end(process)
        self._write_figures(run)
        if (problem := process.problem()) is not None:
            raise TrainingError(problem[1])
        finished = result_of(run.folder) is not None
        if tracker is not None and noted is not None and finished:
            tracker.files(noted, files_of(run.folder), "FINISHED")
        return finished

    def register(self, run: LocalRun) -> Bundle:
        """The run's model among those of this machine; see `limner.operations.runs.promotion.register`."""
        return register(run.folder, self.services.store)

    def promote(self, run: LocalRun, alias: str, *, force: bool) -> Promotion:
        """Let an alias stand for a run's model, if it is better; see `Promoter.promote`."""
        promoter = Promoter(self.services.store, self.services.pool.use, self.services.settings)
        dataset = self.place.datasets.get(run.config.dataset)
        promotion = promoter.promote(run.folder, dataset, checked_name(alias, "an alias"), force=force)
        note_promotion(run.folder, promotion)
        return promotion

    def _write_figures(self, run: LocalRun) -> None:
        """The figures of each label, where storage was set up for this machine."""
        if not self.services.settings.storage_url:
            return
        from limner.storage.blobs import Blobs

        write_figures(Blobs(self.services.settings.storage), run.id, run.folder)


def _end(process: TrainingProcess) -> None:
    try:
        process.end()
    except KeyboardInterrupt:
        process.kill()
        raise


def _is_held(folder: RunFolder) -> bool:
    """Whether a process learns in it."""
    try:
        file = os.open(folder.path / "run.lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
