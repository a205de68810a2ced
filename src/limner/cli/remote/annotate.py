"""``limner --server URL annotate``: the server does the work, and the files come out here as usual."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import typer

from limner.annotations.document import AnnotatedPage
from limner.annotations.page import Page
from limner.cli.exits import ALL_DONE, INTERRUPTED, NOTHING, SOME_FAILED
from limner.cli.progress import ProgressReporter, print_summary
from limner.cli.remote.errands import Errand, errands, packed
from limner.cli.remote.server import Server
from limner.client import Client, Job, JobEvent
from limner.client.results import pages_in
from limner.core.errors import ConflictError, FormatError, UsageError
from limner.core.settings import load_settings
from limner.operations.annotate import AnnotateRequest, DocumentSummary, Summary
from limner.operations.outputs import safe_name, unique_name
from limner.operations.pipeline import PageOutcome

#: The format that is always fetched: the summary is made from it.
_LINES = "jsonl"


def run(server: Server, request: AnnotateRequest, *, as_json: bool, quiet: bool) -> int:
    """Let a server do a request, with a progress bar and a summary; gives the exit code."""
    _check(request)
    todo = errands(request.sources, load_settings())
    if len(todo) > 1 and request.target.folder is None:
        raise UsageError("There are several documents, and one file to write.", hint="Give a folder with -o.")
    with server.client() as client, ProgressReporter(shown=not quiet) as reporter:
        trip = _Trip(client, request, reporter)
        try:
            for errand in todo:
                trip.run(errand, alone=len(todo) == 1)
        except KeyboardInterrupt:
            reporter.interrupted(resumable=False)
            return INTERRUPTED
    summary = trip.summary
    if as_json:
        plain = {"model": summary.model, "documents": [document.to_plain() for document in summary.documents]}
        typer.echo(json.dumps(plain, ensure_ascii=False, indent=2))
    elif not quiet:
        print_summary(summary, dry_run=False)
    if not summary.done:
        return NOTHING
    return SOME_FAILED if summary.failed else ALL_DONE


def _check(request: AnnotateRequest) -> None:
    """Raise `UsageError` for what only this machine can do."""
    pictures = request.pictures
    for wanted, option in (
        (request.resume, "--resume"),
        (request.dry_run, "--dry-run"),
        (pictures.overlays, "--overlay"),
        (pictures.crops, "--crops"),
        (pictures.contact_sheet, "--contact-sheet"),
    ):
        if wanted:
            raise UsageError(f"{option} is not possible with --server.", hint="Leave out one of them.")


class _Trip:
    """One run: a job on the server for each document, waited for one after another."""

    def __init__(self, client: Client, request: AnnotateRequest, reporter: ProgressReporter) -> None:
        self.client, self.request, self.reporter = client, request, reporter
        self.summary = Summary(request.model)
        self._taken: set[str] = set()

    def run(self, errand: Errand, *, alone: bool) -> None:
        """Make the job, wait for it, and write what came of it; Ctrl-C cancels it."""
        with tempfile.TemporaryDirectory(prefix="limner-") as folder:
            scratch = Path(folder)
            job = self._submit(errand, scratch)
            document = DocumentSummary(id=job.id, title=errand.title, total=0, skipped=list(errand.skipped))
            self.summary.model = job.model or self.summary.model
            self.summary.documents.append(document)
            into = self._folder(errand, alone=alone)
            try:
                self._finish(self._wait(job, document), document, scratch, into)
            except KeyboardInterrupt:
                self._finish(self._cancelled(job), document, scratch, into)
                raise

    def _submit(self, errand: Errand, scratch: Path) -> Job:
        request, options = self.request, self.request.options
        return self.client.jobs.create(
            errand.source,
            files=packed(errand, scratch) or None,
            model=None if request.model == "default" else request.model,
            threshold=options.threshold,
            labels=None if options.labels is None else sorted(options.labels),
            zones=[(zone.x, zone.y, zone.x + zone.width, zone.y + zone.height) for zone in options.zones] or None,
            pages=None if request.pages is None else str(request.pages),
            title=errand.title,
        )

    def _wait(self, job: Job, document: DocumentSummary) -> Job:
        watch = _Watch(document, self.reporter)
        try:
            return self.client.jobs.wait(job, on_event=watch.see)
        finally:
            self.reporter.document_finished(document)

    def _cancelled(self, job: Job) -> Job:
        try:
            return self.client.jobs.cancel(job)
        except ConflictError:  # it has ended meanwhile
            return self.client.jobs.get(job)

    def _finish(self, job: Job, document: DocumentSummary, scratch: Path, into: Path | None) -> None:
        """Write what is done, and note in the summary what came of it."""
        document.total, document.done = job.pages.total, job.pages.done
        if job.started_at and job.finished_at:
            document.seconds = (job.finished_at - job.started_at).total_seconds()
        if job.error is not None:
            document.failed.append((document.title, job.error.message))
        if job.pages.total:
            self._describe(job, document)
        if job.pages.done + job.pages.failed:
            self._write(job, document, scratch, into)

    def _describe(self, job: Job, document: DocumentSummary) -> None:
        """What the server knows of the documents that it found."""
        found = list(self.client.jobs.documents(job))
        if len(found) == 1:
            document.id, document.title = found[0].id, found[0].title
        for each in found:
            document.skipped += [(skipped.where, skipped.reason) for skipped in each.skipped]
            document.warnings += each.problems

    def _write(self, job: Job, document: DocumentSummary, scratch: Path, into: Path | None) -> None:
        fetched = {_LINES: self._fetch(job, scratch, _LINES)}
        _count(fetched[_LINES], document)
        for format_ in self.request.target.formats:
            path = fetched.get(format_.name) or self._fetch(job, scratch, format_.name)
            document.files += _place(path, into, self.request.target.file)

    def _fetch(self, job: Job, scratch: Path, format_: str) -> Path:
        folder = scratch / format_
        folder.mkdir()
        return self.client.jobs.save_results(job, folder, format_)

    def _folder(self, errand: Errand, *, alone: bool) -> Path | None:
        folder = self.request.target.folder
        if folder is None or alone:
            return folder
        return folder / unique_name(safe_name(errand.title, "document"), self._taken)


class _Watch:
    """Moves the progress bar as the server tells of pages."""

    def __init__(self, document: DocumentSummary, reporter: ProgressReporter) -> None:
        self._document, self._reporter = document, reporter
        self._begun = False

    def see(self, event: JobEvent) -> None:
        """One event."""
        if event.job is not None and event.job.pages.total and not self._begun:
            self._begun = True
            self._document.total = event.job.pages.total
            self._reporter.document_started(self._document)
        if event.page is not None and event.page.status in ("done", "failed"):
            seen = event.page
            page = Page(id=seen.name, name=seen.name, index=seen.index)
            error = str(seen.error or "It failed.") if seen.status == "failed" else None
            self._reporter.page_finished(PageOutcome(AnnotatedPage(page, error=error), None, {}))


def _count(path: Path, document: DocumentSummary) -> None:
    """Note what was found, and what failed, page by page."""
    for page in pages_in(path):
        document.labels.update(annotation.label for annotation in page.annotations)
        if page.error is not None:
            document.failed.append((page.page.name, page.error))


def _place(path: Path, folder: Path | None, file: Path | None) -> list[Path]:
    """Put a file, or what is in a zip, where it was wanted."""
    packed = zipfile.is_zipfile(path)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return _unpack(path, folder) if packed else [Path(shutil.copy(path, folder / path.name))]
    if packed:
        raise UsageError("There are several files to write.", hint="Give a folder with -o.")
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copy(path, file))]
    with path.open("rb") as stream:
        shutil.copyfileobj(stream, sys.stdout.buffer)
    return []


def _unpack(path: Path, folder: Path) -> list[Path]:
    """Write what is in a zip below a folder, and nothing above it."""
    out = []
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            relative = PurePosixPath(entry.filename)
            if relative.is_absolute() or ".." in relative.parts or "\\" in entry.filename or ":" in entry.filename:
                raise FormatError(f"The server's answer has a file {entry.filename!r}, outside of its folder.")
            if entry.is_dir():
                continue
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
            out.append(target)
    return out
