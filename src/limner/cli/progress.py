"""What the command line shows while pages are annotated, and after."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from limner.operations.annotate import DocumentSummary, Summary
from limner.operations.pipeline import PageOutcome

#: Failures that are shown one by one; the rest is counted.
_MOST_FAILURES = 20


class _Speed(ProgressColumn):
    """Pages a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} pages/s", style="cyan")


class ProgressReporter:
    """A bar for the document at work, on standard error."""

    def __init__(self, *, shown: bool) -> None:
        self.console = Console(stderr=True, quiet=not shown)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Speed(),
            TimeRemainingColumn(compact=True),
            console=self.console,
            disable=not (shown and self.console.is_terminal),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def document_started(self, summary: DocumentSummary) -> None:
        """Begin a bar."""
        title = summary.title if len(summary.title) <= 40 else summary.title[:39] + "…"
        self._task = self._progress.add_task(title, total=summary.total, completed=summary.already)

    def page_finished(self, outcome: PageOutcome) -> None:
        """Move the bar on, and say at once when a page failed."""
        if self._task is not None:
            self._progress.advance(self._task)
        if outcome.annotated.error is not None:
            page = outcome.annotated.page
            self.console.print(
                f"{page.name}: {outcome.annotated.error}", style="yellow", markup=False, highlight=False, soft_wrap=True
            )

    def document_finished(self, summary: DocumentSummary) -> None:
        """End the bar."""
        if self._task is not None:
            self._progress.update(self._task, total=summary.total)

    def interrupted(self, *, resumable: bool) -> None:
        """Say that the run was stopped and how to go on."""
        self._progress.stop()
        hint = " Run the same command with --resume to go on." if resumable else ""
        self.console.print(f"Stopped. The pages that were done are written.{hint}", style="yellow", soft_wrap=True)


def print_summary(summary: Summary, *, dry_run: bool) -> None:
    """A table of the documents, then what is worth knowing of each, on standard error."""
    console = Console(stderr=True, highlight=False)
    table = Table(
        title=f"Annotated with {summary.model}" if not dry_run else f"Would be annotated with {summary.model}"
    )
    table.add_column("Document")
    for column in ("Pages", "Done", "Failed", "Skipped", "Found", "Seconds"):
        table.add_column(column, justify="right")
    for document in summary.documents:
        table.add_row(Text(document.title), *_figures(document))
    console.print(table)
    for document in summary.documents:
        _print_notes(console, document)


def _figures(document: DocumentSummary) -> list[str]:
    return [
        str(document.total),
        str(document.done + document.already),
        str(len(document.failed)),
        str(len(document.skipped)),
        ", ".join(f"{count} {label}" for label, count in document.labels.most_common(6)) or "–",
        f"{document.seconds:.1f}",
    ]


def _print_notes(console: Console, document: DocumentSummary) -> None:
    problems = [f"{where}: {reason}" for where, reason in (*document.failed, *document.skipped)]
    for problem in problems[:_MOST_FAILURES]:
        console.print(f"  {problem}", style="yellow", markup=False, soft_wrap=True)
    if len(problems) > _MOST_FAILURES:
        console.print(f"  … and {len(problems) - _MOST_FAILURES} more", style="yellow")
    for warning in document.warnings:
        console.print(f"  {warning}", style="dim", markup=False, soft_wrap=True)
    if document.files:
        folder = document.files[0].parent
        console.print(
            f"  {len(document.files)} files, the first {document.files[0].name}, in {folder}",
            markup=False,
            soft_wrap=True,
        )
