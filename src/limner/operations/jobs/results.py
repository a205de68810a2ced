"""What came of a job, as documents that the writers of formats take; memory does not grow with the job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.serial import annotated_page_from_plain, page_from_plain
from limner.core.errors import NotFoundError
from limner.operations.jobs.record import JobDocument, description_of, documents_of
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.jobs import Job
from limner.storage.pages import JobPage, JobPages, PageStatus

_BATCH = 200


def job_documents(database: Database, blobs: Blobs, job: Job) -> list[Document]:
    """The documents of a job with the pages that are done or have failed so far; those without any are left out.

    Raises `ConflictError` where the job has not been planned.
    """
    pages = JobPages(database, job.workspace_id)
    return [_document(blobs, job, each, pages_of(pages, job, each)) for each in documents_of(blobs, job) if each.pages]


def pages_of(pages: JobPages, job: Job, document: JobDocument) -> Iterable[AnnotatedPage]:
    """The pages of one document of a job that are done or have failed so far, read anew each time."""
    return _ResultPages(pages, job.id, document.first, document.pages, document.pages == job.pages.total)


def _document(blobs: Blobs, job: Job, document: JobDocument, pages: Iterable[AnnotatedPage]) -> Document:
    described = description_of(blobs, job.id, document.number)
    return Document(
        id=described["id"],
        title=described["title"],
        pages=pages,
        rights=described["rights"],
        metadata=described["metadata"],
    )


@dataclass(frozen=True, slots=True)
class _ResultPages:
    """The pages of one document of a job, read anew each time."""

    pages: JobPages
    job_id: str
    #: Number of the first page, and how many there are.
    first: int
    count: int
    #: Whether these are all pages of the job.
    all: bool

    def __iter__(self) -> Iterator[AnnotatedPage]:
        for page, result in self.pages.results(self.job_id) if self.all else self._some():
            if (annotated := annotated_of(page, result)) is not None:
                yield annotated

    def _some(self) -> Iterator[tuple[JobPage, Any]]:
        last, left = self.first - 1, self.count
        while left and (batch := self.pages.list(self.job_id, after=last, limit=min(left, _BATCH))):
            for page in batch:
                yield page, self._result(page)
            last, left = batch[-1].number, left - len(batch)

    def _result(self, page: JobPage) -> Any:  # noqa: ANN401 - any JSON value
        if page.status != "done":
            return None
        try:
            return self.pages.result(self.job_id, page.number)
        except NotFoundError:  # it is being done again
            return None


def annotated_of(page: JobPage, result: Any) -> AnnotatedPage | None:  # noqa: ANN401 - any JSON value
    """What came of a page of a job; None where nothing has yet."""
    if result is not None:
        return annotated_page_from_plain(result)
    if page.status != "failed" or page.error is None:
        return None
    return AnnotatedPage(page_from_plain(page.payload["page"]), error=page.error.message)


@dataclass(frozen=True, slots=True)
class PageState:
    """A page of a job, and what came of it in numbers."""

    page: JobPage
    #: How many annotations it has; None while it is not done.
    annotations: int | None = None
    #: Seconds spent in each stage.
    seconds: Mapping[str, float] | None = None
    note: str | None = None


def page_states(
    database: Database, workspace_id: str, job_id: str, *, status: PageStatus | None = None, after: int, limit: int
) -> list[PageState]:
    """Pages of a job after a number, in order; raises `NotFoundError` where there is no such job."""
    pages = JobPages(database, workspace_id)
    return [_state(pages, job_id, page) for page in pages.list(job_id, status=status, after=after, limit=limit)]


def _state(pages: JobPages, job_id: str, page: JobPage) -> PageState:
    if page.status != "done":
        return PageState(page)
    try:
        result = pages.result(job_id, page.number)
    except NotFoundError:  # it is being done again
        return PageState(page)
    return PageState(page, len(result.get("annotations", ())), result.get("seconds"), result.get("note"))
