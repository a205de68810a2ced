"""Figures of a job, reckoned from the seconds of its pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from limner.operations.tracking.figures import job_figures, percentile, phases, values_of
from limner.storage.jobs import Job, PageCounts

MADE = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)


def job(done: int, failed: int, *, began: datetime | None = MADE + timedelta(seconds=5)) -> Job:
    return Job(
        id="j", workspace_id="w", kind="annotate", status="running", queue="q", priority=0, model="m@1", source="s",
        payload={}, pages=PageCounts(done + failed, done, failed), seq=1, error=None, created_at=MADE,
        started_at=began, finished_at=None,
    )  # fmt: skip


def test_phases_go_by_the_same_names_wherever_they_come_from() -> None:
    assert phases({"fetch": 1, "decode": 2, "infer": 3, "write": 4}) == phases(
        {"download": 1, "decode": 2, "model": 3, "write": 4}
    )


def test_the_metrics_of_an_inference_say_their_unit_and_add_up() -> None:
    values = values_of({"queue": 0.5, "decode": 0.25, "model": 1.0})
    assert values == {"queue_seconds": 0.5, "decode_seconds": 0.25, "model_seconds": 1.0, "seconds": 1.75}


def test_the_figures_of_a_job() -> None:
    timings = [{"fetch": 0.0, "infer": n / 100} for n in range(1, 101)]
    figures = job_figures(job(100, 2), timings, MADE + timedelta(seconds=55))
    assert figures["pages_total"] == 102
    assert figures["pages_done"] == 100
    assert figures["pages_failed"] == 2
    assert figures["job_seconds"] == 50
    assert figures["job_queue_seconds"] == 5
    assert figures["pages_per_second"] == 2
    assert figures["model_seconds_mean"] == pytest.approx(0.505)
    assert figures["model_seconds_p95"] == pytest.approx(0.95)
    assert figures["seconds_p95"] == pytest.approx(0.95)
    assert figures["download_seconds_mean"] == 0


def test_a_job_that_never_began_has_figures_too() -> None:
    figures = job_figures(job(0, 0, began=None), [], MADE)
    assert figures["pages_per_second"] == 0
    assert not [name for name in figures if name.endswith("_p95")]


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [([3.0], 0.95, 3.0), ([1, 2], 0.5, 1), ([2, 1, 3], 0.95, 3), (range(1, 21), 0.95, 19)],
)
def test_a_percentile_is_one_of_the_values(values: list[float], share: float, wanted: float) -> None:
    assert percentile(values, share) == wanted
