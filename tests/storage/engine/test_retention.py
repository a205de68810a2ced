from datetime import timedelta

import pytest
import sqlalchemy as sa

from limner.annotations.page import Page
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.documents import Documents, NewDocument
from limner.storage.engine.retention import Retention
from limner.storage.engine.workers import Workers
from limner.storage.idempotency import IdempotencyKeys
from limner.storage.jobs import Jobs, NewJob
from limner.storage.tables import JOBS
from limner.storage.webhooks import Deliveries, note_attempt
from limner.storage.workspaces import Workspace

SOON = timedelta(minutes=1)


@pytest.fixture
def due(database: Database) -> Retention:
    return Retention(database)


def test_jobs_are_due_a_while_after_their_end(database: Database, workspace: Workspace, due: Retention) -> None:
    jobs = Jobs(database, workspace.id)
    running, old, new = (jobs.add(NewJob(kind="k", queue="q")).id for _ in range(3))
    for job in (old, new):
        jobs.cancel(job)
    with database.write() as c:
        c.execute(sa.update(JOBS).where(JOBS.c.id == old).values(finished_at=now() - timedelta(days=8)))
    week = now() - timedelta(days=7)
    assert due.jobs(week) == due.jobs_with_images(week) == [old]
    due.job_images_gone(old)
    assert (due.jobs(week), due.jobs_with_images(week)) == ([old], [])
    due.forget_job(old)
    due.forget_job(running)  # has not ended: stays
    assert {job.id for job in jobs.list()} == {running, new}


def test_images_of_documents_have_their_time(database: Database, workspace: Workspace, due: Retention) -> None:
    documents = Documents(database, workspace.id)
    pages = [(Page(id="p", name="p.jpg", index=0), "documents/x/images/p.jpg")]
    kept = documents.create(NewDocument(title="kept", pages=pages), author="me")
    gone = documents.create(NewDocument(title="week", pages=pages, images_until=now()), author="me")
    assert due.documents_with_images(now() - SOON) == []
    assert due.documents_with_images(now() + SOON) == [gone.id]
    due.document_images_gone(gone.id)
    assert due.documents_with_images(now() + SOON) == []
    assert documents.page(gone.id, "p").image is None
    assert documents.page(kept.id, "p").image is not None


def test_what_was_for_the_record_goes_in_time(database: Database, workspace: Workspace, due: Retention) -> None:
    deliveries, keys, workers = (
        Deliveries(database, workspace.id),
        IdempotencyKeys(database, workspace.id),
        Workers(database),
    )
    pending, sent = (deliveries.add("e", "https://x.example", b"", content_type="t") for _ in range(2))
    note_attempt(database, sent, status_code=200, error=None, seconds=0, again_at=None)
    keys.begin("k", "f")
    for name in ("there", "gone"):
        workers.register(name, "1", host="h", pid=1, kinds=[])
    workers.stop("gone", "1")
    forget = (due.forget_deliveries, due.forget_idempotency_keys, due.forget_workers)
    assert [act(now() - SOON) for act in forget] == [0, 0, 0]
    assert [act(now() + SOON) for act in forget] == [1, 1, 1]
    assert [one.id for one in deliveries.list()] == [pending.id]
    assert [worker.id for worker in workers.all()] == ["there"]
