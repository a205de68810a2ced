"""The kind of job that annotates: it plans the pages of its documents and runs them through the pipeline."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, replace

from limner.annotations.annotation import Json
from limner.annotations.document import AnnotatedPage
from limner.annotations.page import Page
from limner.annotations.serial import annotated_page_to_plain, page_from_plain, page_to_plain
from limner.annotations.shapes import Box
from limner.core.errors import CancelledError, ConflictError, FetchError, LimnerError, SourceError, StatusError
from limner.jobs.protocol import Context, Done, Failed, Outcome, failure
from limner.models.protocol import Options, Predictor
from limner.operations.documents.desk import by_job
from limner.operations.jobs.loop import JobLoop, held
from limner.operations.jobs.notices import Notices
from limner.operations.jobs.record import description_of, keep_documents
from limner.operations.jobs.sources import Found, JobSources, KeptPage, adopt
from limner.operations.pipeline import PageOutcome, annotate_pages
from limner.operations.selection import PageSelection
from limner.operations.services import Services
from limner.operations.tracking.jobs import JobTracking
from limner.sources.protocol import Encoded, PageHandle, Skipped, Want
from limner.storage.blobs import Blobs
from limner.storage.columns import now
from limner.storage.database import Database, StorageError
from limner.storage.documents import Documents
from limner.storage.jobs import Job
from limner.storage.pages import JobPage, PlannedPage

#: Documents that are kept open in a process.
_OPEN = 8
#: Statuses that may pass.
_PASSING = frozenset({429, 500, 502, 503, 504})


class AnnotateHandler:
    """Annotates the pages of documents with a model. Payload: see `limner.operations.jobs.desk`."""

    kind = "annotate"

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        services: Services,
        notices: Notices,
    ) -> None:
        self._db = database
        self._blobs = blobs
        self._services = services
        self._notices = notices
        self._tracking = JobTracking(database, services)
        self._sources = JobSources(database, blobs, services.sources)
        self._fresh = JobSources(database, blobs, services.fresh_sources)
        self._opened = _Opened(self._open)

    def plan(self, job: Job, context: Context) -> Sequence[PlannedPage]:
        """The chosen pages of all documents, in order."""
        self._notices.started(job)
        adopt(job, self._blobs)
        with JobLoop(context) as loop:
            found = loop.run(self._find(job))
        pages = job.payload.get("pages")
        chosen = [list(_chosen(each, number, pages)) for number, each in enumerate(found)]
        keep_documents(self._blobs, job.id, [(each, len(some)) for each, some in zip(found, chosen, strict=True)])
        planned = [page for some in chosen for page in some]
        if not planned:
            raise SourceError(_nothing(found, pages))
        return planned

    async def _find(self, job: Job) -> list[Found]:
        """The documents of the job, with as many pages together as the settings allow."""
        out, left = list[Found](), self._services.settings.max_pages
        async with aclosing(self._from(job).find(job)) as found:
            async for each in found:
                out.append(_cut(each, left))
                left -= len(out[-1].document.handles)
                if left <= 0:
                    break
        return out

    def run(self, job: Job, pages: Sequence[JobPage], context: Context) -> Iterator[Outcome]:
        """Annotate a chunk."""
        if not pages[0].attempts:
            self._notices.progressed(job)
        library = self._services.libraries.of(job.workspace_id)
        with ExitStack() as stack:
            try:
                predictor = stack.enter_context(held(lambda: library.use(str(job.model)), context))
            except CancelledError:
                raise
            except LimnerError as error:  # the same for all: loading it again for each would not help
                yield from (Failed(failure(error)) for _ in pages)
                return
            loop = stack.enter_context(JobLoop(context))
            yield from loop.iterate(self._outcomes(job, pages, predictor))

    def finish(self, job: Job, context: Context) -> None:  # noqa: ARG002 - it takes no time
        """Close what was open. Whoever wants to know is told by the engine."""
        self._opened.forget(job.id)

    async def _outcomes(
        self, job: Job, pages: Sequence[JobPage], predictor: Predictor
    ) -> AsyncGenerator[Outcome, None]:
        options = options_of(job)
        # A zone is a small part of a page, and the model looks at it closely.
        want = Want(None if options.zones else predictor.wanted_side)
        if pages[0].number == 0 and not pages[0].attempts:
            self._services.observe(predictor.bundle, {"queue": (now() - job.created_at).total_seconds()})
        handles = await self._handles(job, pages)
        run = self._tracking.run_of(job, predictor.bundle)
        async with aclosing(annotate_pages(handles, predictor, options, want=want)) as outcomes:
            waiting = iter(pages)
            async for outcome in outcomes:
                page = next(waiting)
                told = await asyncio.to_thread(self._told, job, page, outcome)
                self._services.observe(predictor.bundle, outcome.seconds)
                if isinstance(told, Done):
                    self._tracking.page(run, page.number, outcome.seconds)
                yield told

    async def _handles(self, job: Job, pages: Sequence[JobPage]) -> list[PageHandle]:
        opened: dict[int, Sequence[PageHandle] | LimnerError] = {}
        for number in dict.fromkeys(page.payload["d"] for page in pages):
            try:
                opened[number] = await self._opened.of(job, number)
            except LimnerError as error:
                opened[number] = error
        return [_handle(page, opened[page.payload["d"]]) for page in pages]

    async def _open(self, job: Job, number: int) -> Sequence[PageHandle]:
        return await self._from(job).handles(job, description_of(self._blobs, job.id, number))

    def _from(self, job: Job) -> JobSources:
        """The way to what a job is made from: past the cache where the client does not trust what is in it."""
        return self._fresh if job.payload.get("fresh") else self._sources

    def _told(self, job: Job, page: JobPage, outcome: PageOutcome) -> Outcome:
        if outcome.error is not None:
            return Failed(failure(outcome.error), again=_may_pass(outcome.error, page))
        begun = time.perf_counter()
        result = annotated_page_to_plain(outcome.annotated)
        if "seen" in page.payload and (note := self._correct(job, page, outcome.annotated)):
            result["note"] = note
        outcome.seconds["write"] = time.perf_counter() - begun
        result["seconds"] = {stage: round(seconds, 4) for stage, seconds in outcome.seconds.items()}
        return Done(result)

    def _correct(self, job: Job, page: JobPage, annotated: AnnotatedPage) -> str | None:
        """Put what was found into the document; says why, where the page is left as it is."""
        documents = Documents(self._db, job.workspace_id)
        document_id, author = job.payload["source"]["document"], f"job:{job.id}"
        stored = documents.page(document_id, annotated.page.id)
        if stored.revision != page.payload["seen"] and not by_job(stored.updated_by):
            return f"{stored.updated_by} has changed this page since the job was made: it was left as it is."
        size = (annotated.page.width, annotated.page.height)
        try:
            documents.save(
                document_id,
                annotated.page.id,
                annotated.annotations,
                seen=stored.revision,
                author=author,
                comment=f"annotated with {job.model}",
                size=size,
            )
        except ConflictError as error:
            return f"It was left as it is: {error}"
        return None


@dataclass(slots=True)
class _Broken:
    """A page whose document cannot be opened."""

    page: Page
    error: LimnerError

    async def fetch(self, want: Want) -> Encoded:  # noqa: ARG002
        raise self.error


class _Opened:
    """The documents that are open in this process, those used last."""

    def __init__(self, make: Callable[[Job, int], Awaitable[Sequence[PageHandle]]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, int], Sequence[PageHandle]] = OrderedDict()

    async def of(self, job: Job, number: int) -> Sequence[PageHandle]:
        """The pages of a document."""
        key = job.id, number
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
                return self._open[key]
        handles = await self._make(job, number)
        with self._lock:
            self._open[key] = handles
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)
        return handles

    def forget(self, job_id: str) -> None:
        """Close those of a job."""
        with self._lock:
            for key in [key for key in self._open if key[0] == job_id]:
                del self._open[key]


def options_of(job: Job) -> Options:
    """What was chosen for the predictions of a job."""
    payload = job.payload
    labels = payload.get("labels")
    zones = tuple(Box.from_corners(*corners) for corners in payload.get("zones") or ())
    return Options(payload.get("threshold"), None if labels is None else frozenset(labels), zones)


def _chosen(found: Found, number: int, pages: str | None) -> Iterator[PlannedPage]:
    selection = PageSelection.parse(pages) if pages else None
    for at, handle in enumerate(found.document.handles):
        if selection is None or handle.page.index + 1 in selection:
            payload: dict[str, Json] = {"d": number, "at": at, "page": page_to_plain(handle.page)}
            if isinstance(handle, KeptPage):
                payload["seen"] = handle.revision
            yield PlannedPage(handle.page.name, payload)


def _cut(found: Found, most: int) -> Found:
    """The document with at most so many pages."""
    document = found.document
    if len(document.handles) <= most:
        return found
    reason = f"The last {len(document.handles) - most} pages, and all that follows, are left out: max_pages says so."
    skipped = (*document.skipped, Skipped(document.id, reason))
    return replace(found, document=replace(document, handles=document.handles[:most], skipped=skipped))


def _nothing(found: Sequence[Found], pages: str | None) -> str:
    """Why there is nothing to do."""
    skipped = [entry for each in found for entry in each.document.skipped]
    if any(each.document.handles for each in found):
        return f"No page of the source is among {pages}."
    if skipped:
        return f"There is nothing to annotate. {skipped[0].where}: {skipped[0].reason}"
    return "There is nothing to annotate: the source has no pages."


def _handle(page: JobPage, opened: Sequence[PageHandle] | LimnerError) -> PageHandle:
    planned = page_from_plain(page.payload["page"])
    at: int = page.payload["at"]
    if isinstance(opened, LimnerError):
        return _Broken(planned, opened)
    if at >= len(opened) or opened[at].page.id != planned.id:
        return _Broken(
            planned, SourceError("The source has changed since the job was planned.", hint="Make a new job.")
        )
    return opened[at]


def _may_pass(error: Exception, page: JobPage) -> bool:
    """Whether another attempt makes sense. The network layer has made several already, over seconds."""
    if isinstance(error, StatusError):
        return error.status in _PASSING
    # Some of these last (an image that is there in no size), some pass (a network that was down).
    return isinstance(error, StorageError) or (type(error) is FetchError and page.attempts == 0)
