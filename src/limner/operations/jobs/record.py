"""What is kept of a job's documents, beside its pages: titles, rights, manifests, what was skipped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from limner.annotations.annotation import Json
from limner.core.errors import ConflictError, NotFoundError
from limner.jobs.housekeeping import job_blobs
from limner.operations.jobs.sources import Found
from limner.storage.blobs import Blobs
from limner.storage.jobs import Job

#: Most entries of what was skipped, or mended, that are listed for a document.
_MOST_LISTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDocument:
    """A document of a job."""

    #: Its place among the documents of the job.
    number: int
    id: str
    title: str
    #: Number of its first page in the job, and how many it has there.
    first: int
    pages: int
    skipped: Sequence[Mapping[str, str]]
    problems: Sequence[str]
    #: Which of several sources it came from; None where there was one.
    member: int | None = None

    def plain(self) -> dict[str, Json]:
        """The document as the API shows it."""
        skipped: list[Json] = [dict(entry) for entry in self.skipped]
        return {
            "id": self.id,
            "title": self.title,
            "first": self.first,
            "pages": self.pages,
            "skipped": skipped,
            "problems": [*self.problems],
        }


def keep_documents(blobs: Blobs, job_id: str, found: Sequence[tuple[Found, int]]) -> None:
    """Keep the documents of a job, each with the number of pages that were chosen from it."""
    listed, first = list[dict[str, Json]](), 0
    for number, (each, pages) in enumerate(found):
        _write(blobs, _document_key(job_id, number), _described(each))
        listed.append({"number": number, **_summary(each, first, pages)})
        first += pages
    _write(blobs, _list_key(job_id), [*listed])


def documents_of(blobs: Blobs, job: Job) -> list[JobDocument]:
    """The documents of a job; raises `ConflictError` where it has not been planned."""
    try:
        listed = json.loads(blobs.read(_list_key(job.id)))
    except NotFoundError as error:
        if job.final:
            raise ConflictError(f"The job has no documents: it is {job.status}.") from error
        raise ConflictError("The job is still being planned.", hint="Ask again in a moment.") from error
    return [JobDocument(**entry) for entry in listed]


def description_of(blobs: Blobs, job_id: str, number: int) -> Mapping[str, Any]:
    """Everything that is kept of a document: ``id``, ``title``, ``rights``, ``metadata``, ``again``."""
    described: Mapping[str, Any] = json.loads(blobs.read(_document_key(job_id, number)))
    return described


def _described(found: Found) -> dict[str, Json]:
    document = found.document
    return {
        "id": document.id,
        "title": document.title,
        "rights": document.rights,
        "metadata": dict(document.metadata),
        "again": dict(found.again),
    }


def _summary(found: Found, first: int, pages: int) -> dict[str, Json]:
    document = found.document
    skipped: list[Json] = [{"where": each.where, "reason": each.reason} for each in document.skipped[:_MOST_LISTED]]
    problems: list[Json] = [*document.problems[:_MOST_LISTED]]
    about: dict[str, Json] = {"id": document.id, "title": document.title, "first": first, "pages": pages}
    return {**about, "skipped": skipped, "problems": problems, "member": found.again.get("member")}


def _write(blobs: Blobs, key: str, value: Json) -> None:
    blobs.write(key, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))


def _list_key(job_id: str) -> str:
    return f"{job_blobs(job_id)}/documents.json"


def _document_key(job_id: str, number: int) -> str:
    return f"{job_blobs(job_id)}/documents/{number}.json"
