"""Deleting what has been kept for long enough: images first, then jobs, then what was only for the record."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from limner.storage.blobs import Blobs
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.engine.retention import Retention

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long things are kept; None for ever."""

    #: Images that a job downloaded, after its end.
    images: timedelta | None = timedelta(days=7)
    #: Jobs with their results, after their end.
    jobs: timedelta | None = None
    #: Webhooks, after they were delivered or given up.
    deliveries: timedelta | None = timedelta(days=30)
    #: Idempotency keys, after they were given.
    idempotency: timedelta | None = timedelta(days=1)
    #: Workers that have gone, and what DBOS kept of their lanes.
    workers: timedelta | None = timedelta(days=7)


def job_blobs(job_id: str) -> str:
    """Where the blobs of a job are; all of them go with the job."""
    return f"jobs/{job_id}"


def job_images(job_id: str) -> str:
    """Where the images of a job are; they may go before it."""
    return f"jobs/{job_id}/images"


def document_images(document_id: str) -> str:
    """Where the images of a document are."""
    return f"documents/{document_id}/images"


class Housekeeper:
    """Deletes what is due. It may run in several processes at once, and be interrupted anywhere."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        keep: Keep,
        *,
        forget_lanes: Callable[[datetime], int] | None = None,
    ) -> None:
        self._due = Retention(database)
        self._blobs = blobs
        self._keep = keep
        self._forget_lanes = forget_lanes

    def sweep(self, at: datetime | None = None) -> dict[str, int]:
        """Delete what is due by then, or by now; how much of each kind."""
        at = at or now()
        done = {
            "documents' images": self._document_images(at),
            "jobs' images": self._after(at, self._keep.images, self._job_images),
            "jobs": self._after(at, self._keep.jobs, self._jobs),
            "webhooks": self._after(at, self._keep.deliveries, self._due.forget_deliveries),
            "idempotency keys": self._after(at, self._keep.idempotency, self._due.forget_idempotency_keys),
            "workers": self._after(at, self._keep.workers, self._due.forget_workers),
        }
        if self._forget_lanes:
            done["lanes"] = self._after(at, self._keep.workers, self._forget_lanes)
        if any(done.values()):
            logger.info("Housekeeping: %s", ", ".join(f"{count} {what}" for what, count in done.items() if count))
        return done

    def _after(self, at: datetime, kept: timedelta | None, forget: Callable[[datetime], int]) -> int:
        return 0 if kept is None else forget(at - kept)

    # The blobs go first: after an interruption the rest is still due.

    def _document_images(self, at: datetime) -> int:
        due = self._due.documents_with_images(at)
        for document_id in due:
            self._blobs.delete_all(document_images(document_id))
            self._due.document_images_gone(document_id)
        return len(due)

    def _job_images(self, before: datetime) -> int:
        due = self._due.jobs_with_images(before)
        for job_id in due:
            self._blobs.delete_all(job_images(job_id))
            self._due.job_images_gone(job_id)
        return len(due)

    def _jobs(self, before: datetime) -> int:
        due = self._due.jobs(before)
        for job_id in due:
            self._blobs.delete_all(job_blobs(job_id))
            self._due.forget_job(job_id)
        return len(due)
