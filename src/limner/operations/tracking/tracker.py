"""What is noted of each inference and each job, and in which run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.operations.tracking.figures import job_figures, values_of
from limner.operations.tracking.places import place_of
from limner.operations.tracking.store import LONGEST_PARAM, End
from limner.operations.tracking.writer import Counts, Entry, Pace, Run, Writer

if TYPE_CHECKING:  # a command that annotates by itself has no database
    from limner.storage.jobs import Job, Status

#: How MLflow calls the ends of jobs.
_ENDS: dict[Status, End] = {"succeeded": "FINISHED", "partly_failed": "FINISHED", "cancelled": "KILLED"}
#: Longest name of a run, characters.
_LONGEST_NAME = 200


class Tracker:
    """Notes things for MLflow; nothing here waits, and nothing here fails."""

    def __init__(self, writer: Writer, experiment: str, clock: Callable[[], datetime] | None = None) -> None:
        self._writer = writer
        self._clock = clock or partial(datetime.now, UTC)
        self._experiment = experiment
        #: The runs of today's single requests, by experiment, model and hash.
        self._rolling: dict[tuple[str, str, str], Run] = {}
        self._day = ""

    @property
    def counts(self) -> Counts:
        """How it went so far."""
        return self._writer.counts

    def inference(self, bundle: Bundle, seconds: Mapping[str, float], experiment: str | None = None) -> None:
        """A single image was annotated; the seconds in each stage. ``experiment``: one that goes by its own name."""
        moment = self._clock()
        run = self._today(moment, bundle, experiment or f"{self._experiment}-{bundle.task}")
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        self._writer.put(
            Entry(run, values_of(seconds), int((moment - midnight).total_seconds()), _milliseconds(moment))
        )

    def page(self, run: Run, number: int, seconds: Mapping[str, float]) -> None:
        """A page of a job is done; ``number`` counts from 0."""
        self._writer.put(Entry(run, values_of(seconds), number + 1, _milliseconds(self._clock())))

    def ended(self, run: Run, job: Job, status: Status, timings: Callable[[], Iterable[Mapping[str, float]]]) -> None:
        """A job has ended; ``timings`` gives the seconds of each of its pages that is done."""
        moment = job.finished_at or self._clock()
        end = _ENDS.get(status, "FAILED")
        self._writer.put(
            Entry(run, {}, job.pages.total, _milliseconds(moment), end, lambda: job_figures(job, timings(), moment))
        )

    def job_run(self, job: Job, bundle: Bundle | None, workspace: str) -> Run:
        """The run of a job; all processes that work on it have the same."""
        title = str(job.payload.get("title") or job.source or job.id)
        params = {
            **_described(bundle, job.model or ""),
            "job": job.id,
            "source": (job.source or "")[:LONGEST_PARAM],
            "workspace": workspace[:LONGEST_PARAM],
            **_choices(job.payload.get("config") or {}),
        }
        return Run(f"{self._experiment}-{job.kind}", f"job/{job.id}", title[:_LONGEST_NAME], params)

    def training_run(self, run_id: str, name: str, config: Mapping[str, object]) -> Run:
        """The run of a training that is no job, with its choices."""
        return Run(f"{self._experiment}-train", f"run/{run_id}", name[:_LONGEST_NAME], _choices(config))

    def figures(self, run: Run, values: Mapping[str, float], step: int) -> None:
        """Note values of a run at some step."""
        self._writer.put(Entry(run, values, step, _milliseconds(self._clock())))

    def files(self, run: Run, files: Mapping[str, str], end: End | None = None) -> None:
        """Keep files with a run, by the names that they get there; ``end``: the run has ended so."""
        self._writer.put(Entry(run, {}, 0, _milliseconds(self._clock()), end, files=files))

    def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        self._writer.close()

    def _today(self, moment: datetime, bundle: Bundle, experiment: str) -> Run:
        day = f"{moment:%Y-%m-%d}"
        if day != self._day:  # two threads that come together at midnight make the same run twice, which is one run
            self._rolling, self._day = {}, day
        which = experiment, bundle.ref, bundle.sha256
        run = self._rolling.get(which)
        if run is None:
            key = f"{day}/{bundle.ref}/{bundle.sha256[:12]}"
            params = {**_described(bundle, bundle.ref), "day": day}
            run = Run(experiment, key, f"{bundle.ref} {day}", params)
            self._rolling[which] = run
        return run


def make_tracker(settings: Settings) -> Tracker | None:
    """What notes things where the settings say; None for nowhere. Raises `SettingsError`. Opens nothing yet."""
    place = place_of(settings.mlflow_url)
    if place is None:
        return None
    return Tracker(Writer(place.shown, place.open, Pace(grace=place.grace)), settings.mlflow_experiment)


def _described(bundle: Bundle | None, ref: str) -> dict[str, str]:
    """Model, version and hash, as far as they are known."""
    name, _, version = ref.partition("@")
    known = {"model": name, "version": version}
    return known if bundle is None else {**known, "task": bundle.task, "hash": bundle.sha256 or "none: built in"}


def _choices(config: Mapping[str, object]) -> dict[str, str]:
    """What a training was asked for, as parameters."""
    return {name: str(value)[:LONGEST_PARAM] for name, value in config.items()}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
