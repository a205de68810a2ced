"""Telling clients that a job has ended: what is sent, and to whom. Sending it is `limner.jobs.webhooks`' task."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from limner.annotations.annotation import Json
from limner.annotations.document import Document
from limner.annotations.formats.protocol import WRITERS
from limner.core.errors import ConflictError
from limner.jobs.webhooks import Part, json_body, multipart_body
from limner.operations.jobs import experiments
from limner.operations.jobs.results import job_documents
from limner.storage.blobs import Blobs
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.jobs import Failure, Job, Jobs, Status
from limner.storage.webhooks import Deliveries
from limner.storage.workspaces import Workspaces

logger = logging.getLogger(__name__)

#: The event that all of these tell of; the status of the job says how it ended.
EVENT = "job.finished"
#: How a message may be put: as JSON, or as extractorAPI's clients take it.
FORMS = ("json", "extractor")
_ENDS = frozenset({"finished", "cancelled"})
_BATCH = 500
#: Ends with something to send a file of.
_WITH_RESULTS = frozenset({"succeeded", "partly_failed"})


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who wants to know when jobs end."""

    url: str
    form: str


@dataclass(frozen=True, slots=True)
class _Message:
    url: str
    body: bytes
    content_type: str


class Notices:
    """Puts messages up for delivery."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._db = database
        self._blobs = blobs

    def started(self, job: Job) -> None:
        """Tell a client that wants to follow a job that it has begun, once."""
        self._along(job, "job.started", experiments.started_message, once=True)

    def progressed(self, job: Job) -> None:
        """Tell such a client how far it is."""
        self._along(job, "job.progress", experiments.progress_message)

    def ended(self, job: Job, status: Status, failure: Failure | None = None) -> None:
        """Tell how a job has ended, each receiver once however often this is called for the same end.

        Raises nothing: a message that cannot be made is no reason for a job to fail.
        """
        try:
            self._tell(job, status, failure)
        except Exception:
            logger.exception("Nobody could be told that the job %s has ended", job.id)

    def _tell(self, job: Job, status: Status, failure: Failure | None) -> None:
        deliveries = Deliveries(self._db, job.workspace_id)
        ended = replace(job, status=status, finished_at=job.finished_at or now(), error=failure)
        told = Counter(each.url for each in deliveries.list(job_id=job.id, event=EVENT, limit=_BATCH))
        before = self._ends(job) if told else 0
        for receiver in self._receivers(job):
            for message in self._messages(ended, receiver):
                if told[message.url] <= before:
                    deliveries.add(EVENT, message.url, message.body, content_type=message.content_type, job_id=job.id)

    def _along(self, job: Job, event: str, make: Callable[[Job], Mapping[str, Json]], *, once: bool = False) -> None:
        """Tell of a job under way; raises nothing, as little as `ended`."""
        if job.payload.get("callback_form") != experiments.FORM:
            return
        try:
            deliveries = Deliveries(self._db, job.workspace_id)
            if once and deliveries.list(job_id=job.id, event=event, limit=1):
                return
            body, content_type = json_body(make(job))
            deliveries.add(event, job.payload["callback"], body, content_type=content_type, job_id=job.id)
        except Exception:
            logger.exception("Nobody could be told how far the job %s is", job.id)

    def _receivers(self, job: Job) -> set[Receiver]:
        out = set()
        if job.payload.get("callback"):
            out.add(Receiver(job.payload["callback"], job.payload.get("callback_form") or "json"))
        if hook := webhook_of(Workspaces(self._db).get(job.workspace_id).settings):
            out.add(hook)
        return out

    def _ends(self, job: Job) -> int:
        """How often the job has ended before: it may have been tried again."""
        jobs, count, last = Jobs(self._db, job.workspace_id), 0, 0
        while events := jobs.events(job.id, after=last, limit=_BATCH):
            count += sum(event.type in _ENDS for event in events)
            last = events[-1].seq
        return count

    def _messages(self, job: Job, receiver: Receiver) -> Iterator[_Message]:
        if receiver.form == "json":
            yield _Message(receiver.url, *json_body({"event": EVENT, "job": job_plain(job)}))
        elif receiver.form == experiments.FORM:
            yield _Message(receiver.url, *json_body(experiments.end_message(job, self._parts(job))))
        elif job.kind == "annotate" and job.status in _WITH_RESULTS:
            for document in job_documents(self._db, self._blobs, job):
                yield _extractor(job, document, receiver.url)

    def _parts(self, job: Job) -> Sequence[experiments.Part]:
        try:
            return experiments.parts_of(self._blobs, job)
        except ConflictError:  # it ended before its documents were known
            return ()


def end_of(job: Job) -> Status:
    """How a job ends whose pages are all done or have failed."""
    return "succeeded" if not job.pages.failed else "partly_failed" if job.pages.done else "failed"


def webhook_of(settings: Mapping[str, Any]) -> Receiver | None:
    """Where a workspace wants to be told of its jobs, by its settings."""
    hook = settings.get("webhook")
    return Receiver(hook["url"], hook["form"]) if hook else None


def secret_of(settings: Mapping[str, Any]) -> str:
    """The key that a workspace's webhooks are signed with; empty where it has none of its own."""
    return str((settings.get("webhook") or {}).get("secret") or "")


def job_plain(job: Job, base: str | None = None) -> dict[str, Json]:
    """A job as the API shows it; ``base`` is what its addresses begin with, by default as when it was made."""
    base = job.payload.get("base", "") if base is None else base
    own = f"{base}/v1/jobs/{job.id}"
    links: dict[str, Json] = {name: f"{own}/{name}" for name in ("pages", "events", "results", "cancel", "retry")}
    return {**job.plain(), "title": job.payload.get("title"), "links": {"self": own, **links}}


def _extractor(job: Job, document: Document, callback: str) -> _Message:
    """The annotation file of one manifest, as extractorAPI sends it: ``contracts.md``, 1."""
    reference = manifest_reference(document.id)
    file = next(WRITERS.get("extractor").render(document))
    part = Part("annotation_file", f"{reference}.txt", "text/plain; charset=utf-8", "".join(file.chunks).encode())
    fields = {"model": _dated(job.payload.get("called") or str(job.model), job.finished_at or now())}
    return _Message(f"{callback.rstrip('/')}/{quote(reference)}", *multipart_body(fields, [part]))


def manifest_reference(identity: str) -> str:
    """The part of a manifest's address before ``manifest…``, or its last part where it has no such."""
    parts = [unquote(part) for part in urlsplit(identity).path.split("/") if part]
    named = [at for at, part in enumerate(parts) if part.lower().startswith("manifest")]
    if named and named[-1] > 0:
        return parts[named[-1] - 1]
    return parts[-1].removesuffix(".json") if parts else "manifest"


def _dated(model: str, moment: datetime) -> str:
    return f"{model.partition('@')[0]}_{moment:%m_%Y}"
