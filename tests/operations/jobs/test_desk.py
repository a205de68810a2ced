"""What a job may be made from, and what is refused before there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.core.errors import (
    AddressRefusedError,
    ConflictError,
    LimnerError,
    ModelNotFoundError,
    NotFoundError,
    NotIIIFError,
    SourceError,
    UsageError,
)
from limner.operations.jobs.desk import JobRequest
from limner.storage.jobs import Jobs
from limner.storage.routes import Routes
from limner.storage.workspaces import Workspaces
from tests.operations.jobs.conftest import MakeLibrary
from tests.operations.jobs.workplace import Workplace, bright_page, image_bytes, opened, until, upload

MANIFEST = "https://library.example/manifest.json"


@pytest.fixture
def idle(tmp_path: Path, bright: Path) -> Iterator[Workplace]:
    """A workplace where jobs wait: a server without workers."""
    with opened(tmp_path / "data", bright, start=False) as place:
        yield place


@pytest.mark.parametrize(
    ("wishes", "error"),
    [
        ({}, UsageError),
        ({"source": "", "model": "bright"}, UsageError),
        ({"source": MANIFEST, "document": "0" * 32}, UsageError),
        ({"source": "/etc/passwd"}, SourceError),
        ({"source": "file:///etc/passwd"}, SourceError),
        ({"source": "../pages/*.jpg"}, SourceError),
        ({"source": ["https://library.example/1.jpg", "/etc/passwd"]}, SourceError),
        ({"source": ["https://library.example/1.jpg", "data:image/png;base64,AAAA"]}, UsageError),
        ({"source": "https://user:word@library.example/manifest.json"}, AddressRefusedError),
        ({"source": "data:text/plain,hello"}, SourceError),
        ({"source": {"type": "Range"}}, NotIIIFError),
        ({"source": MANIFEST, "kind": "dance"}, UsageError),
        ({"source": MANIFEST, "model": "brigt"}, ModelNotFoundError),
        ({"source": MANIFEST, "threshold": 2}, UsageError),
        ({"source": MANIFEST, "threshold": float("nan")}, UsageError),
        ({"source": MANIFEST, "priority": 10}, UsageError),
        ({"source": MANIFEST, "labels": ["cat"]}, UsageError),
        ({"source": MANIFEST, "zones": [[0, 0, 10]]}, UsageError),
        ({"source": MANIFEST, "zones": [[0, 0, 0, 10]]}, UsageError),
        ({"source": MANIFEST, "zones": [[0, 0, float("inf"), 10]]}, UsageError),
        ({"source": MANIFEST, "pages": "ten"}, UsageError),
        ({"source": MANIFEST, "callback": "ftp://app.example/hook"}, AddressRefusedError),
        ({"source": MANIFEST, "callback": "https://app.example", "callback_form": "xml"}, UsageError),
        ({"document": "0" * 32}, NotFoundError),
        ({"uploads": [upload("page.jpg", b"<html>no image")]}, SourceError),
        ({"uploads": [upload("page.jpg", b"")]}, SourceError),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    idle: Workplace, wishes: dict[str, object], error: type[LimnerError]
) -> None:
    with pytest.raises(error):
        idle.submit(**wishes)
    assert Jobs(idle.database, idle.workspace_id).list() == []
    assert idle.blobs.keys("inbox") == []


def test_the_model_is_the_one_named_or_that_of_the_document_type_or_the_default(idle: Workplace) -> None:
    routes = Routes(idle.database, idle.workspace_id)
    routes.set("print", "text-regions")
    chosen = {
        "named": idle.submit(MANIFEST, model="text", document_type="print"),
        "routed": idle.submit(MANIFEST, document_type="Print"),
        "not routed": idle.submit(MANIFEST, document_type="manuscript"),
        "neither": idle.submit(MANIFEST),
    }
    assert {how: job.model for how, job in chosen.items()} == {
        "named": "text@1",
        "routed": "text-regions@1",
        "not routed": "bright@1",
        "neither": "bright@1",
    }
    routes.set("*", "text")
    assert idle.submit(MANIFEST, document_type="manuscript").model == "text@1"
    assert idle.submit(MANIFEST).queue == "text@1"


def test_a_document_goes_to_the_model_of_its_type(idle: Workplace) -> None:
    Routes(idle.database, idle.workspace_id).set("print", "text-regions")
    page = upload("a.png", image_bytes(bright_page((0, 0, 60, 40))))
    document = idle.documents().take_in([page], title=None, kind="print", author="ada")
    assert idle.submit(document=document.id).model == "text-regions@1"
    assert idle.submit(document=document.id, document_type="manuscript").model == "bright@1"


def test_documents_of_another_workspace_are_not_there(idle: Workplace) -> None:
    page = upload("a.png", image_bytes(bright_page((0, 0, 60, 40))))
    document = idle.documents().take_in([page], title=None, kind=None, author="ada")
    assert idle.submit(document=document.id).source == f"document:{document.id}"
    other = Workspaces(idle.database).ensure("Museum").id
    with pytest.raises(NotFoundError):
        idle.desk(other).submit(JobRequest(document=document.id), "")


def test_what_was_sent_goes_with_the_job(place: Workplace, library: MakeLibrary) -> None:
    job = place.done(place.submit(uploads=[upload("a.png", image_bytes(bright_page((0, 0, 60, 40))))]))
    kept = place.blobs.keys(f"jobs/{job.id}")
    assert kept == [
        f"jobs/{job.id}/documents.json",
        f"jobs/{job.id}/documents/0.json",
        f"jobs/{job.id}/images/given/0.png",
    ]
    place.desk().delete(job.id)
    assert place.blobs.keys(f"jobs/{job.id}") == []
    with pytest.raises(NotFoundError):
        Jobs(place.database, place.workspace_id).get(job.id)


def test_a_job_that_runs_cannot_be_deleted_and_one_that_waits_takes_its_files_along(idle: Workplace) -> None:
    job = idle.submit(uploads=[upload("a.png", image_bytes(bright_page((0, 0, 60, 40))))])
    assert len(idle.blobs.keys("inbox")) == 1
    with pytest.raises(ConflictError):
        idle.desk().delete(job.id)
    idle.desk().cancel(job.id)
    idle.desk().delete(job.id)
    assert idle.blobs.keys("inbox") == []


def test_files_that_no_job_asks_for_are_swept_away_after_days(idle: Workplace) -> None:
    idle.blobs.write("inbox/20200101T000000-0123/0.png", b"broken off")
    job = idle.submit(uploads=[upload("a.png", image_bytes(bright_page((0, 0, 60, 40))))])
    idle.engine.sweep()
    (kept,) = idle.blobs.keys("inbox")
    assert kept.startswith(job.payload["inbox"])


def test_images_go_after_their_days_and_results_stay(tmp_path: Path, bright: Path) -> None:
    with opened(tmp_path / "data", bright, image_days=0) as place:
        job = place.done(place.submit(uploads=[upload("a.png", image_bytes(bright_page((0, 0, 60, 40))))]))
        place.engine.sweep()
        assert place.blobs.keys(f"jobs/{job.id}") == [
            f"jobs/{job.id}/documents.json",
            f"jobs/{job.id}/documents/0.json",
        ]
        until(lambda: place.pages(job) == [("a.png", "done", None)])
