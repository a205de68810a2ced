"""How long something took, phase by phase, and what a job's pages took together. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limner.storage.jobs import Job

#: What the pipeline of jobs calls its stages, and everybody else.
PHASES = {"fetch": "download", "infer": "model"}


def phases(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds in ``queue``, ``download``, ``decode``, ``model`` and ``write``, as far as they are known."""
    return {PHASES.get(stage, stage): spent for stage, spent in seconds.items()}


def values_of(seconds: Mapping[str, float]) -> dict[str, float]:
    """The metrics of one inference: a ``…_seconds`` for each phase, and ``seconds`` for all of them."""
    return {**{f"{phase}_seconds": spent for phase, spent in phases(seconds).items()}, "seconds": sum(seconds.values())}


def job_figures(job: Job, timings: Iterable[Mapping[str, float]], until: datetime) -> dict[str, float]:
    """What came of a job: pages, pages a second, mean and 95th percentile of each metric of its pages."""
    began = job.started_at or job.created_at
    took = (until - began).total_seconds()
    out = {
        "pages_total": float(job.pages.total),
        "pages_done": float(job.pages.done),
        "pages_failed": float(job.pages.failed),
        "pages_per_second": job.pages.done / took if took > 0 else 0.0,
        "job_seconds": took,
        "job_queue_seconds": (began - job.created_at).total_seconds(),
    }
    columns: dict[str, list[float]] = defaultdict(list)
    for timing in timings:
        for name, value in values_of(timing).items():
            columns[name].append(value)
    for name, column in sorted(columns.items()):
        out[f"{name}_mean"] = math.fsum(column) / len(column)
        out[f"{name}_p95"] = percentile(column, 0.95)
    return out


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest of some values that at least such a share of them does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
