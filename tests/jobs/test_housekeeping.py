from datetime import timedelta
from pathlib import Path

import pytest

from limner.annotations.page import Page
from limner.jobs.housekeeping import Housekeeper, Keep, document_images, job_blobs, job_images
from limner.storage.blobs import Blobs
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.documents import Documents, NewDocument
from limner.storage.jobs import Jobs, NewJob

DAY = timedelta(days=1)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def _ended(database: Database, home: str, blobs: Blobs) -> str:
    jobs = Jobs(database, home)
    job = jobs.cancel(jobs.add(NewJob(kind="k", queue="q")).id)
    blobs.write(f"{job_images(job.id)}/1.jpg", b"image")
    blobs.write(f"{job_blobs(job.id)}/upload.zip", b"zip")
    return job.id


def test_images_go_first_and_the_job_later(database: Database, home: str, blobs: Blobs) -> None:
    job = _ended(database, home, blobs)
    keeper = Housekeeper(database, blobs, Keep(images=7 * DAY, jobs=30 * DAY))
    assert not any(keeper.sweep(now() + 6 * DAY).values())
    assert keeper.sweep(now() + 8 * DAY)["jobs' images"] == 1
    assert blobs.keys(job_blobs(job)) == [f"jobs/{job}/upload.zip"]
    assert not any(keeper.sweep(now() + 9 * DAY).values())
    assert keeper.sweep(now() + 31 * DAY)["jobs"] == 1
    assert blobs.keys("jobs") == []
    assert Jobs(database, home).list() == []


def test_for_ever_is_for_ever(database: Database, home: str, blobs: Blobs) -> None:
    job = _ended(database, home, blobs)
    keep = Keep(images=None, jobs=None, deliveries=None, idempotency=None, workers=None)
    assert not any(Housekeeper(database, blobs, keep).sweep(now() + 9999 * DAY).values())
    assert len(blobs.keys(job_blobs(job))) == 2


def test_what_has_not_ended_is_never_touched(database: Database, home: str, blobs: Blobs) -> None:
    job = Jobs(database, home).add(NewJob(kind="k", queue="q"))
    blobs.write(f"{job_images(job.id)}/1.jpg", b"image")
    Housekeeper(database, blobs, Keep(images=DAY, jobs=DAY)).sweep(now() + 9999 * DAY)
    assert blobs.exists(f"{job_images(job.id)}/1.jpg")
    assert Jobs(database, home).get(job.id) == job


def test_images_of_documents_go_and_their_annotations_stay(database: Database, home: str, blobs: Blobs) -> None:
    documents = Documents(database, home)
    pages = [(Page(id="p", name="p.jpg", index=0), "documents/d/images/p.jpg")]
    document = documents.create(NewDocument(title="d", pages=pages, images_until=now() + DAY), author="me")
    blobs.write(f"{document_images(document.id)}/p.jpg", b"image")
    keeper = Housekeeper(database, blobs, Keep())
    keeper.sweep()
    assert blobs.exists(f"{document_images(document.id)}/p.jpg")
    assert keeper.sweep(now() + 2 * DAY)["documents' images"] == 1
    assert blobs.keys("documents") == []
    assert documents.page(document.id, "p").image is None


def test_lanes_are_forgotten_where_there_is_a_worker(database: Database, blobs: Blobs) -> None:
    asked = []
    keeper = Housekeeper(database, blobs, Keep(workers=DAY), forget_lanes=lambda before: asked.append(before) or 5)
    at = now()
    assert keeper.sweep(at)["lanes"] == 5
    assert asked == [at - DAY]
