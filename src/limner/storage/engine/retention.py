"""What is due to be deleted, in all workspaces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.jobs import FINAL
from limner.storage.tables import DELIVERIES, DOCUMENT_PAGES, DOCUMENTS, IDEMPOTENCY, JOBS, WORKERS

_ENDED = JOBS.c.status.in_(FINAL)


class Retention:
    """Everything that has been kept for long enough."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def jobs(self, before: datetime, *, limit: int = 500) -> Sequence[str]:
        """Jobs that ended before then, the oldest first."""
        return self._ids(sa.select(JOBS.c.id).where(_ENDED, JOBS.c.finished_at < before).limit(limit))

    def jobs_with_images(self, before: datetime, *, limit: int = 500) -> Sequence[str]:
        """Jobs that ended before then, whose images are still there."""
        query = sa.select(JOBS.c.id).where(_ENDED, JOBS.c.finished_at < before, JOBS.c.images_kept.is_(True))
        return self._ids(query.limit(limit))

    def documents_with_images(self, at: datetime, *, limit: int = 500) -> Sequence[str]:
        """Documents whose images may be deleted by then."""
        return self._ids(sa.select(DOCUMENTS.c.id).where(DOCUMENTS.c.images_until <= at).limit(limit))

    def forget_job(self, job_id: str) -> None:
        """Forget a job that has ended, with its pages and results."""
        self._write(JOBS.delete().where(JOBS.c.id == job_id, _ENDED))

    def job_images_gone(self, job_id: str) -> None:
        """Note that the images of a job have been deleted."""
        self._write(JOBS.update().where(JOBS.c.id == job_id).values(images_kept=False))

    def document_images_gone(self, document_id: str) -> None:
        """Note that the images of a document have been deleted."""
        self._write(DOCUMENT_PAGES.update().where(DOCUMENT_PAGES.c.document_id == document_id).values(image=None))
        self._write(DOCUMENTS.update().where(DOCUMENTS.c.id == document_id).values(images_until=None, updated_at=now()))

    def forget_deliveries(self, before: datetime) -> int:
        """Forget webhooks that were dealt with before then; how many."""
        return self._write(DELIVERIES.delete().where(DELIVERIES.c.finished_at < before))

    def forget_idempotency_keys(self, before: datetime) -> int:
        """Forget the keys given before then; how many."""
        return self._write(IDEMPOTENCY.delete().where(IDEMPOTENCY.c.created_at < before))

    def forget_workers(self, before: datetime) -> int:
        """Forget workers that have gone and were last seen before then; how many."""
        return self._write(WORKERS.delete().where(WORKERS.c.state != "alive", WORKERS.c.seen_at < before))

    def _ids(self, query: sa.Select[str]) -> Sequence[str]:
        with self._db.read() as c:
            return c.execute(query).scalars().all()

    def _write(self, statement: sa.Update | sa.Delete) -> int:
        with self._db.write() as c:
            return c.execute(statement).rowcount
