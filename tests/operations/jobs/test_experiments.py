"""What AIKON is told of a job, state by state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from limner.core.errors import NotFoundError
from limner.operations.foreign.regions import Postprocess
from limner.operations.jobs.experiments import (
    Experiment,
    Part,
    dataset_url,
    end_message,
    experiment_of,
    log_of,
    progress_message,
    result_url,
    started_message,
)
from limner.operations.jobs.record import JobDocument
from limner.storage.jobs import Failure, Job, PageCounts

_EXPERIMENT = Experiment(id="12 é", model="illustration_extraction", prefix="regions", postprocess=Postprocess(True))
JOB = Job(
    id="j" * 32,
    workspace_id="w",
    kind="annotate",
    status="running",
    queue="q",
    priority=0,
    model="bright@1",
    source="wit1_man1",
    payload={"base": "https://limner.example", "experiment": _EXPERIMENT.plain()},
    pages=PageCounts(200, 16, 1),
    seq=3,
    error=None,
    created_at=datetime(2026, 11, 1, tzinfo=UTC),
    started_at=None,
    finished_at=None,
)


def _document(pages: int, *skipped: str) -> JobDocument:
    entries = [{"where": "canvas 3", "reason": reason} for reason in skipped]
    return JobDocument(number=0, id="d", title="d", first=0, pages=pages, skipped=entries, problems=["odd"])


_PARTS = [
    Part(0, "wit1", "iiif", "https://a.example", [_document(3, "no image")]),
    Part(1, "wit2", "iiif", "https://b.example", [_document(0, "404")]),
]


def test_what_was_kept_comes_back() -> None:
    assert experiment_of(JOB) == _EXPERIMENT
    with pytest.raises(NotFoundError):
        experiment_of(replace(JOB, payload={}))


def test_addresses() -> None:
    own = f"https://limner.example/regions/{JOB.id}"
    assert result_url(JOB, 1) == f"{own}/results/1/illustration_extraction+12%20%C3%A9"
    assert dataset_url(JOB) == f"{own}/dataset"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("queued", "PENDING"),
        ("running", "PROGRESS"),
        ("succeeded", "SUCCESS"),
        ("partly_failed", "SUCCESS"),
        ("failed", "ERROR"),
        ("cancelled", "ERROR"),
    ],
)
def test_every_state_has_a_name(status: str, said: str) -> None:
    log = log_of(replace(JOB, status=status), _PARTS)  # type: ignore[arg-type]
    assert log["status"] == said
    assert log["progress"] == ([] if status == "queued" else ["17 of 200 images"])
    assert log["infos"] == ["wit1: odd", "wit2: odd"]


def test_messages_on_the_way() -> None:
    about = {"tracking_id": JOB.id, "experiment_id": "12 é"}
    assert started_message(JOB) == {"event": "STARTED", **about, "message": "The job has begun."}
    assert progress_message(JOB) == {"event": "PROGRESS", **about, "message": "17 of 200 images"}


def test_success_names_what_went_wrong_all_the_same() -> None:
    told = end_message(replace(JOB, status="partly_failed"), _PARTS)
    assert told["event"] == "SUCCESS"
    assert told["success"] is True
    assert told["output"] == {
        "dataset_url": dataset_url(JOB),
        "results_url": [{"doc_id": "wit1", "result_url": result_url(JOB, 0)}],
        "error": [
            f"1 of 200 images failed: see https://limner.example/v1/jobs/{JOB.id}/pages?status=failed.",
            "wit1: canvas 3: no image",
            "wit2: canvas 3: 404",
        ],
    }


def test_an_error_says_why_twice() -> None:
    failed = replace(JOB, status="failed", error=Failure("source", "Nothing there."), pages=PageCounts(0, 0, 0))
    told = end_message(failed, ())
    assert (told["event"], told["success"], told["message"], told["error"]) == (
        "ERROR",
        False,
        "Nothing there.",
        "Nothing there.",
    )
    assert end_message(replace(failed, status="cancelled", error=None), ())["error"] == "The job was cancelled."
