"""AIKON's experiments (``contracts.md``, 2): one job each over several documents, and the messages that tell of it.

The job's id is what AIKON calls ``tracking_id``; what AIKON needs besides is in the job's payload, as ``experiment``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from limner.annotations.annotation import Json
from limner.core.errors import NotFoundError
from limner.operations.foreign.regions import Postprocess
from limner.operations.jobs.record import JobDocument, documents_of
from limner.storage.blobs import Blobs
from limner.storage.jobs import Job

#: The form of the messages, beside those of `limner.operations.jobs.notices`.
FORM = "aikon"
_STATUS: Mapping[str, str] = {
    "queued": "PENDING",
    "running": "PROGRESS",
    "succeeded": "SUCCESS",
    "partly_failed": "SUCCESS",
    "failed": "ERROR",
    "cancelled": "ERROR",
}
#: Most problems that are told in one message.
_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What AIKON says of a job that it starts."""

    #: AIKON's own name for it.
    id: str
    #: The model as AIKON calls it, without suffix.
    model: str
    #: The prefix of the paths that it was asked for under: ``regions`` or ``region_extraction``.
    prefix: str
    postprocess: Postprocess = field(default_factory=Postprocess)

    def plain(self) -> dict[str, Json]:
        """As it is kept with the job."""
        return {"id": self.id, "model": self.model, "prefix": self.prefix, "postprocess": self.postprocess.plain()}


@dataclass(frozen=True, slots=True)
class Part:
    """A document of an experiment."""

    #: Its place in the request.
    number: int
    uid: str
    #: ``iiif``, ``zip``, ``pdf``, ``img`` or ``url_list``.
    type: str
    src: str
    #: What of the job came from it: a collection is several documents; one that could not be opened has no pages.
    documents: Sequence[JobDocument] = ()


def experiment_of(job: Job) -> Experiment:
    """What AIKON said of a job; raises `NotFoundError` for a job that is none of AIKON's."""
    kept = job.payload.get("experiment")
    if kept is None:
        raise NotFoundError(f"There is no job {job.id}.")
    return Experiment(**{**kept, "postprocess": Postprocess(**kept["postprocess"])})


def parts_of(blobs: Blobs, job: Job) -> list[Part]:
    """The documents as AIKON named them, with what came of each; raises `ConflictError` before the job is planned."""
    found: dict[int, list[JobDocument]] = {}
    for document in documents_of(blobs, job):
        found.setdefault(document.member or 0, []).append(document)
    return [_part(number, member, found.get(number, ())) for number, member in enumerate(members_of(job))]


def members_of(job: Job) -> Sequence[Mapping[str, Any]]:
    """The documents that an experiment was started with, as they are kept with the job."""
    members: Sequence[Mapping[str, Any]] = job.payload["source"]["several"]
    return members


def _part(number: int, member: Mapping[str, Any], documents: Sequence[JobDocument]) -> Part:
    return Part(number, member["uid"], member["type"], member.get("url", ""), documents)


def result_url(job: Job, number: int) -> str:
    """Where the regions of a document are; its last segment is the model and the experiment."""
    experiment = experiment_of(job)
    last = f"{quote(experiment.model, safe='')}+{quote(experiment.id, safe='')}"
    return f"{_own(job)}/results/{number}/{last}"


def dataset_url(job: Job) -> str:
    """Where the documents of an experiment are listed."""
    return f"{_own(job)}/dataset"


def _own(job: Job) -> str:
    return f"{job.payload.get('base', '')}/{experiment_of(job).prefix}/{job.id}"


def status_of(job: Job) -> str:
    """How AIKON calls the state of a job."""
    return _STATUS[job.status]


def said_progress(job: Job) -> str:
    """How far a job is, for people."""
    pages = job.pages
    return f"{pages.done + pages.failed} of {pages.total} images" if pages.total else "Looking into the documents"


def log_of(job: Job, parts: Sequence[Part]) -> dict[str, Json]:
    """What AIKON shows of a job."""
    infos = [f"{part.uid}: {note}" for part in parts for each in part.documents for note in each.problems]
    return {
        "status": status_of(job),
        "progress": [] if job.status == "queued" else [said_progress(job)],
        "infos": [*infos[:_MOST]],
        "errors": [*errors_of(job, parts)],
    }


def errors_of(job: Job, parts: Sequence[Part]) -> list[str]:
    """What went wrong, a sentence each."""
    out = [] if job.error is None else [job.error.message]
    if job.status == "cancelled":
        out.append("The job was cancelled.")
    if job.pages.failed:
        out.append(f"{job.pages.failed} of {job.pages.total} images failed: see {_own_job(job)}/pages?status=failed.")
    skipped = [(part.uid, entry) for part in parts for each in part.documents for entry in each.skipped]
    out += [f"{uid}: {entry['where']}: {entry['reason']}" for uid, entry in skipped[:_MOST]]
    return out


def _own_job(job: Job) -> str:
    return f"{job.payload.get('base', '')}/v1/jobs/{job.id}"


def started_message(job: Job) -> dict[str, Json]:
    """Told when a job is begun."""
    return {**_message(job, "STARTED"), "message": "The job has begun."}


def progress_message(job: Job) -> dict[str, Json]:
    """Told now and then."""
    return {**_message(job, "PROGRESS"), "message": said_progress(job)}


def end_message(job: Job, parts: Sequence[Part]) -> dict[str, Json]:
    """Told when a job has ended, however that is."""
    errors = errors_of(job, parts)
    if status_of(job) == "ERROR":
        reason = " ".join(errors) or "The job failed."
        return {**_message(job, "ERROR"), "success": False, "message": reason, "error": reason}
    results: list[Json] = [
        {"doc_id": part.uid, "result_url": result_url(job, part.number)}
        for part in parts
        if any(document.pages for document in part.documents)
    ]
    output: dict[str, Json] = {"dataset_url": dataset_url(job), "error": [*errors], "results_url": results}
    return {**_message(job, "SUCCESS"), "success": True, "message": said_progress(job), "output": output}


def _message(job: Job, event: str) -> dict[str, Json]:
    return {"event": event, "tracking_id": job.id, "experiment_id": experiment_of(job).id}
