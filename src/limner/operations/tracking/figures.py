"""How long something took, phase by phase, and what a job's pages took together. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from limner.storage.jobs import PageCounts

#: What the pipeline of jobs calls its stages, and everybody else.
PHASES = {"fetch": "download", "infer": "model"}


def phases(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds in ``queue``, ``download``, ``decode``, ``model`` and ``write``, as far as they are known."""
    return {PHASES.get(stage, stage): spent for stage, spent in seconds.items()}


def values_of(seconds: Mapping[str, float]) -> dict[str, float]:
    """The metrics of one inference: a ``…_seconds`` for each phase, and ``seconds`` for all of them."""
    return {**{f"{phase}_seconds": spent for phase, spent in phases(seconds).items()}, "seconds": sum(seconds.values())}


def job_figures(counts: PageCounts, timings: Iterable[Mapping[str, float]], seconds: float) -> dict[str, float]:
    """What came of a job that took some seconds: pages, pages a second, mean and 95th percentile of each metric."""
    columns: dict[str, list[float]] = defaultdict(list)
    for timing in timings:
        for name, value in values_of(timing).items():
            columns[name].append(value)
    out = {"pages_total": float(counts.total), "pages_done": float(counts.done), "pages_failed": float(counts.failed)}
    out["job_seconds"] = seconds
    out["pages_per_second"] = counts.done / seconds if seconds > 0 else 0.0
    for name, column in sorted(columns.items()):
        out[f"{name}_mean"] = math.fsum(column) / len(column)
        out[f"{name}_p95"] = percentile(column, 0.95)
    return out


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest of some values that at least such a share of them does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
