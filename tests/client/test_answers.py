"""From a server's answers to values."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from limner.annotations.shapes import Box
from limner.client import answers
from limner.client.call import Answer
from limner.core.errors import FormatError

JOB: dict[str, Any] = {
    "id": "j",
    "kind": "annotate",
    "status": "partly_failed",
    "pages": {"total": 3, "done": 2, "failed": 1},
    "model": "text@1",
    "source": "https://lib.example/manifest.json",
    "title": None,
    "priority": 4,
    "created_at": "2026-11-20T09:00:00+00:00",
    "started_at": None,
    "finished_at": "2026-11-20T09:00:02.5Z",
    "error": {"code": "source", "message": "It is gone."},
    "links": {"self": "http://host/v1/jobs/j"},
    "something": "newer",
}


def test_a_job() -> None:
    job = answers.job(JOB)
    assert (job.id, job.status, job.final, job.pages.failed, job.priority) == ("j", "partly_failed", True, 1, 4)
    assert (job.created_at, job.started_at) == (datetime(2026, 11, 20, 9, tzinfo=UTC), None)
    assert job.error is not None
    assert (job.error.code, str(job.error)) == ("source", "It is gone.")


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_job_that_goes_on_is_not_final(status: str) -> None:
    assert not answers.job({**JOB, "status": status}).final


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pages": {"total": 1, "done": 0}}, "lacks 'failed'"),
        ({"pages": None}, "cannot be read"),
        ({"created_at": "yesterday"}, "cannot be read"),
    ],
)
def test_what_is_wrong_in_a_job_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        answers.job({**JOB, **change})
    without = {key: value for key, value in JOB.items() if key != "status"}
    with pytest.raises(FormatError, match="'status'"):
        answers.job(without)


def test_a_failure_may_be_its_message_alone() -> None:
    page = answers.job_page({"index": 0, "name": "a.jpg", "status": "failed", "error": "It is gone."})
    assert page.error is not None
    assert page.error.message == "It is gone."
    assert (page.attempts, page.annotations) == (0, None)


def test_pages_with_annotations() -> None:
    page = {"id": "p", "name": "a.jpg", "index": 0, "width": 10, "height": 20}
    body = {"model": "m@1", "pages": [{"page": page, "annotations": [{"label": "x", "box": [1, 2, 3, 4]}]}]}
    (found,) = answers.annotated_pages(Answer(200, {}, json.dumps(body).encode()))
    assert found.annotations[0].shape == Box(1, 2, 3, 4)
    with pytest.raises(FormatError, match="'pages'"):
        answers.annotated_pages(Answer(200, {}, b"{}"))
    with pytest.raises(FormatError):
        answers.annotated_page("{")


def test_a_list_says_where_it_goes_on() -> None:
    read = answers.listing(answers.route)
    body = {"items": [{"document_type": "print", "model": "text"}], "next": "c"}
    found = read(Answer(200, {}, json.dumps(body).encode()))
    assert (found.items[0].model, found.next) == ("text", "c")
    with pytest.raises(FormatError, match="'items'"):
        read(Answer(200, {}, b"{}"))


def test_a_document_with_what_was_left_out() -> None:
    document = answers.document(
        {
            "id": "d",
            "title": "T",
            "type": "print",
            "pages": 2,
            "skipped": [{"where": "a.psd", "reason": "no image"}],
            "created_at": "2026-11-20T09:00:00Z",
            "links": {"manifest": "http://host/m"},
        }
    )
    assert (document.skipped[0].where, document.manifest, document.updated_at) == ("a.psd", "http://host/m", None)


def test_a_secret_is_read_and_not_shown() -> None:
    made = answers.new_token({"id": "t", "name": "n", "scopes": ["admin"], "secret": "limner_x"})
    assert made.secret == "limner_x"
    assert "limner_x" not in f"{made!r} {made}"
    with pytest.raises(FormatError, match="'secret'"):
        answers.new_token({"id": "t", "name": "n", "scopes": []})


def test_how_much_there_is_to_do() -> None:
    jobs = {"queued": 1, "running": 2}
    queue = answers.queue({"depth": 7, "running": 3, "oldest_seconds": 0.5, "jobs": jobs, "workers": 2})
    assert (queue.waiting, queue.running, queue.jobs_queued, queue.jobs_running, queue.workers) == (7, 3, 1, 2, 2)


def test_an_estimate_keeps_the_whole_report() -> None:
    report = {"title": "T", "images": 2, "model": "m@1", "estimate_seconds": 3.5, "canvases": 4}
    estimate = answers.estimate(report)
    assert (estimate.seconds, estimate.report["canvases"]) == (3.5, 4)
