"""Annotate documents: from sources to files, page by page."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from limner.annotations.annotation import Json
from limner.annotations.document import Document
from limner.core.errors import SourceError, UsageError
from limner.models.protocol import Options, Predictor
from limner.operations.outputs import PageArtist, Pictures, Target, safe_name, unique_name, write_document
from limner.operations.pipeline import PageOutcome, annotate_pages
from limner.operations.record import RunRecord
from limner.operations.selection import PageSelection
from limner.operations.services import Services
from limner.sources.opening import open_documents
from limner.sources.protocol import OpenedDocument, Want

#: Where a run keeps its record, inside the output folder.
RECORD_DIR = ".limner"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateRequest:
    """What is to be annotated, with what, and what is to come out."""

    sources: tuple[str, ...]
    target: Target
    model: str = "default"
    options: Options = field(default_factory=Options)
    pages: PageSelection | None = None
    pictures: Pictures = field(default_factory=Pictures)
    #: Go on with the run that the folder holds.
    resume: bool = False
    #: Open the sources and say what would be done, no more.
    dry_run: bool = False


@dataclass(slots=True, kw_only=True)
class DocumentSummary:
    """What came of one document."""

    id: str
    title: str
    #: Pages that were to be annotated.
    total: int
    #: Pages that an earlier run had done.
    already: int = 0
    done: int = 0
    #: File name and reason of each page that failed.
    failed: list[tuple[str, str]] = field(default_factory=list)
    #: Canvas or entry, and reason, of all that cannot be annotated.
    skipped: list[tuple[str, str]] = field(default_factory=list)
    #: How often each label was found.
    labels: Counter[str] = field(default_factory=Counter)
    files: list[Path] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def to_plain(self) -> dict[str, Json]:
        """As JSON values."""
        return {
            "id": self.id,
            "title": self.title,
            "pages": {"total": self.total, "done": self.done, "failed": len(self.failed), "already": self.already},
            "labels": dict(sorted(self.labels.items())),
            "failed": [{"page": page, "reason": reason} for page, reason in self.failed],
            "skipped": [{"canvas": canvas, "reason": reason} for canvas, reason in self.skipped],
            "warnings": [*self.warnings],
            "files": [str(path) for path in self.files],
            "seconds": round(self.seconds, 3),
        }


@dataclass(slots=True)
class Summary:
    """What came of a run."""

    model: str
    documents: list[DocumentSummary] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Pages annotated, now or earlier."""
        return sum(document.done + document.already for document in self.documents)

    @property
    def failed(self) -> int:
        """Pages that failed."""
        return sum(len(document.failed) for document in self.documents)


class Reporter(Protocol):
    """Somebody who wants to know how a run goes."""

    def document_started(self, summary: DocumentSummary) -> None:
        """A document is open."""

    def page_finished(self, outcome: PageOutcome) -> None:
        """A page is done or has failed."""

    def document_finished(self, summary: DocumentSummary) -> None:
        """All files of a document are written."""


async def annotate(request: AnnotateRequest, services: Services, reporter: Reporter) -> Summary:
    """Run a request; page errors are in the summary.

    Raises `SourceError`, `ModelError` or `UsageError` when there is nothing to begin with. When the
    task is cancelled, the files of the pages that are done are written before it ends.
    """
    if request.resume and request.target.folder is None:
        raise UsageError("Only a run into a folder can be resumed.", hint="Give a folder with -o.")
    with ExitStack() as stack:
        predictor: Predictor = stack.enter_context(services.pool.use(request.model))
        _check_labels(request.options, predictor)
        summary = Summary(predictor.bundle.ref)
        folders = _Folders(request.target)
        async with aclosing(_with_next(open_documents(request.sources, services.sources))) as documents:
            async for document, more in documents:
                folder = folders.choose(document, more=more)
                run = _DocumentRun(request, document, predictor, folder, reporter)
                summary.documents.append(run.summary)
                await run.run()
    if not summary.documents:
        raise SourceError(f"There is no document in {', '.join(request.sources)}.")
    return summary


def _check_labels(options: Options, predictor: Predictor) -> None:
    """Raise `UsageError` for labels that the model does not have, before anything is fetched."""
    labels = predictor.bundle.labels
    unknown = sorted((options.labels or frozenset()) - set(labels))
    if unknown and labels:
        raise UsageError(
            f"{predictor.bundle.ref} has no label {', '.join(unknown)}.", hint=f"It has {', '.join(labels)}."
        )


async def _with_next(documents: AsyncIterator[OpenedDocument]) -> AsyncGenerator[tuple[OpenedDocument, bool], None]:
    """Each document, and whether another one follows."""
    waiting: OpenedDocument | None = None
    async for document in documents:
        if waiting is not None:
            yield waiting, True
        waiting = document
    if waiting is not None:
        yield waiting, False


class _Folders:
    """Chooses a folder for each document: the output folder itself when there is just one."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._taken: set[str] = set()

    def choose(self, document: OpenedDocument, *, more: bool) -> Path | None:
        """The folder of a document; None where the output is no folder."""
        if self._target.folder is None:
            if more:
                raise UsageError("There are several documents, and one file to write.", hint="Give a folder with -o.")
            return None
        if not more and not self._taken:
            return self._target.folder
        return self._target.folder / unique_name(safe_name(document.title, "document"), self._taken)


class _DocumentRun:
    """The run of one document."""

    def __init__(
        self,
        request: AnnotateRequest,
        document: OpenedDocument,
        predictor: Predictor,
        folder: Path | None,
        reporter: Reporter,
    ) -> None:
        self.request, self.document, self.predictor = request, document, predictor
        self.folder, self.reporter = folder, reporter
        self.handles = [
            handle for handle in document.handles if request.pages is None or handle.page.index + 1 in request.pages
        ]
        self.summary = DocumentSummary(
            id=document.id,
            title=document.title,
            total=len(self.handles),
            skipped=[(skipped.where, skipped.reason) for skipped in document.skipped],
            warnings=list(document.problems),
        )

    async def run(self) -> None:
        """Annotate the pages that are not done yet and write the files."""
        start = time.perf_counter()
        if self.request.dry_run:
            self.reporter.document_started(self.summary)
            self.reporter.document_finished(self.summary)
            return
        with ExitStack() as stack:
            folder = self.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="limner-")))
            path = folder / RECORD_DIR / "pages.jsonl"
            record = stack.enter_context(RunRecord(path, self._header(), resume=self.request.resume))
            artist = PageArtist(folder, self.request.pictures)
            try:
                await self._annotate(record, artist)
            finally:
                # Also when cancelled: what is done is handed out.
                self._write(record, artist)
                self.summary.seconds = time.perf_counter() - start
                self.reporter.document_finished(self.summary)

    def _header(self) -> dict[str, Json]:
        bundle, options = self.predictor.bundle, self.request.options.as_json()
        return {
            "document": self.document.id,
            "model": bundle.ref,
            "weights": bundle.sha256,
            "options": options,
        }

    async def _annotate(self, record: RunRecord, artist: PageArtist) -> None:
        record.keep_only([handle.page.id for handle in self.handles])
        todo = [handle for handle in self.handles if not record.done(handle.page.id)]
        self.summary.already = len(self.handles) - len(todo)
        self.reporter.document_started(self.summary)
        pages = annotate_pages(todo, self.predictor, self.request.options, want=self._want())
        async with aclosing(pages):
            async for outcome in pages:
                await asyncio.to_thread(artist.draw, outcome)
                record.add(outcome.annotated)
                self._count(outcome)
                self.reporter.page_finished(outcome)

    def _want(self) -> Want:
        """As much of an image as the model or the pictures need, whichever is more."""
        model, pictures = self.predictor.wanted_side, self.request.pictures.side
        if model is None or pictures is None:
            return Want(None)
        if self.request.options.zones:
            return Want(None)  # a zone is a small part, and the model looks at it closely
        return Want(max(model, pictures))

    def _count(self, outcome: PageOutcome) -> None:
        if outcome.annotated.error is None:
            self.summary.done += 1
            self.summary.labels.update(annotation.label for annotation in outcome.annotated.annotations)
        else:
            self.summary.failed.append((outcome.annotated.page.name, outcome.annotated.error))

    def _write(self, record: RunRecord, artist: PageArtist) -> None:
        document = Document(
            id=self.document.id,
            title=self.document.title,
            pages=record,
            rights=self.document.rights,
            metadata=self.document.metadata,
        )
        written = write_document(document, self.request.target, self.folder)
        self.summary.files += written.files
        self.summary.warnings += written.warnings
        if self.folder is not None:
            self.summary.files += artist.finish(self.document.title)
