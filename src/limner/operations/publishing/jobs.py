"""What came of a job, as viewers see it: a manifest for each of its documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from limner.annotations.document import AnnotatedPage, Document
from limner.core.errors import NotFoundError
from limner.jobs.housekeeping import job_images
from limner.operations.images.shelf import Original
from limner.operations.jobs.record import JobDocument, description_of, documents_of
from limner.operations.jobs.results import annotated_of, pages_of
from limner.operations.jobs.sources import JobSources, upload_key
from limner.operations.publishing.documents import PublishedDocument
from limner.operations.publishing.places import Place
from limner.operations.publishing.published import published_document
from limner.sources.protocol import Picture, SourceContext, Want
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.jobs import Job, Jobs
from limner.storage.pages import JobPage, JobPages

#: Most pages that are read at one time.
_BATCH = 200
#: What a document was made of whose images are ours to give; others have them where they came from.
_OURS = ("files", "document")


class PublishedJob:
    """A job of a workspace. Its methods raise `ConflictError` where it has not been planned."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        context: SourceContext,
        job: Job,
        kept: Callable[[str], PublishedDocument],
    ) -> None:
        self._jobs = Jobs(database, job.workspace_id)
        self._pages = JobPages(database, job.workspace_id)
        self._sources = JobSources(database, blobs, context)
        self._blobs = blobs
        self._job = job
        #: Gives the document of the workspace that has an id.
        self._kept = kept
        self.title = str(job.payload.get("title") or job.source or job.id)

    def stamp(self) -> str:
        """By its last event: there is one for every page that is done."""
        return f"{self._job.id} {self._job.seq} {self._job.pages.done}"

    def titles(self) -> Mapping[int, str]:
        """The documents that have pages."""
        return {each.number: each.title for each in documents_of(self._blobs, self._job) if each.pages}

    def document(self, number: int, place: Place) -> Document:
        """One of its documents, with the pages that are done or have failed so far."""
        listed, described = self._listed(number), description_of(self._blobs, self._job.id, number)
        document = Document(
            id=described["id"],
            title=described["title"],
            pages=pages_of(self._pages, self._job, listed),
            rights=described["rights"],
            metadata=described["metadata"],
        )
        base = place.base if len(self.titles()) == 1 else place.document(number)
        return published_document(document, number, place, base, served=_is_ours(described))

    def page(self, number: int, index: int) -> AnnotatedPage:
        """A page of one of its documents, by its position in the whole document."""
        page = self._page(number, index)
        result = self._pages.result(self._job.id, page.number) if page.status == "done" else None
        annotated = annotated_of(page, result)
        if annotated is None:
            raise NotFoundError(f"Page {index} is not done yet.")
        return annotated

    def original(self, number: int, index: int) -> Original:
        """The image of a page that was sent, or that a kept document has."""
        page = self._page(number, index)
        document_id = self._job.payload["source"].get("document")
        if document_id is not None:
            return self._kept(str(document_id)).original(0, index)
        if not self._job.payload["source"].get("files"):
            raise NotFoundError(f"The image of page {index} is where it came from, not here.")
        if not self._jobs.images_kept(self._job.id):
            raise NotFoundError(f"The image of page {index} is not kept any more.")
        key = f"{job_images(self._job.id)}/tiles/{number}-{index}.tif"
        return Original(key, lambda: self._decode(number, page), self._has_files)

    def _listed(self, number: int) -> JobDocument:
        for each in documents_of(self._blobs, self._job):
            if each.number == number and each.pages:
                return each
        raise NotFoundError(f"There is no document {number} here.")

    def _page(self, number: int, index: int) -> JobPage:
        """The page at a position of a document: at the same place in the job, unless only some were chosen."""
        document = self._listed(number)
        last, end = document.first - 1, document.first + document.pages
        if index < document.pages and (found := self._found(document.first + index - 1, end, 1, index)):
            return found
        while last + 1 < end:
            if found := self._found(last, end, _BATCH, index):
                return found
            last += _BATCH
        raise NotFoundError(f"There is no page {index} here; pages are counted from 0.")

    def _found(self, after: int, end: int, limit: int, index: int) -> JobPage | None:
        for page in self._pages.list(self._job.id, after=after, limit=limit):
            if page.number < end and page.payload["page"]["index"] == index:
                return page
        return None

    def _decode(self, number: int, page: JobPage) -> Picture:
        info = description_of(self._blobs, self._job.id, number)

        async def fetched() -> Any:  # noqa: ANN401 - whatever the source encodes it as
            handles = await self._sources.handles(self._job, info)
            at = page.payload["at"]
            if at >= len(handles):
                raise NotFoundError(f"The image of {page.name} is not kept any more.")
            return await handles[at].fetch(Want())

        picture: Picture = asyncio.run(fetched()).decode(Want())
        return picture

    def _has_files(self) -> bool:
        files = self._job.payload["source"]["files"]
        return all(self._blobs.exists(upload_key(self._job.id, file["blob"])) for file in files)


def _is_ours(described: Mapping[str, Any]) -> bool:
    return any(way in described["again"] for way in _OURS)
