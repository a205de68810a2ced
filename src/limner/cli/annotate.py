"""``limner annotate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.exits import ALL_DONE, INTERRUPTED, NOTHING, SOME_FAILED
from limner.cli.remote.server import server_of
from limner.core.errors import UsageError

if TYPE_CHECKING:
    from limner.annotations.shapes import Box
    from limner.models.protocol import Options
    from limner.operations.annotate import AnnotateRequest, Summary

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Images, folders, patterns, zip files, PDFs, addresses, IIIF manifests or collections, data: URLs.",
        show_default=False,
    ),
]
ModelName = Annotated[
    str, typer.Option("--model", "-m", metavar="NAME", help="Model, as `limner models list` names it.")
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--to", "-t", metavar="FORMAT", help="Output format, or several with commas; may be repeated. [default: jsonl]"
    ),
]
Output = Annotated[
    str, typer.Option("--output", "-o", metavar="DIR|FILE|-", help="Folder, file, or - for standard output.")
]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", min=0.0, max=1.0, metavar="T", help="Least score, 0 to 1. [default: the model's]"),
]
Labels = Annotated[str | None, typer.Option("--labels", metavar="A,B", help="Only these labels.")]
Pages = Annotated[str | None, typer.Option("--pages", metavar="1-10,15", help="Only these pages, counted from 1.")]
Zones = Annotated[
    list[str] | None,
    typer.Option(
        "--zone", metavar="X1,Y1,X2,Y2", help="Predict only in this box, pixels of the page; may be repeated."
    ),
]


def annotate(
    context: typer.Context,
    sources: Sources,
    model: ModelName = "default",
    to: Formats = None,
    output: Output = "limner-output",
    threshold: Threshold = None,
    labels: Labels = None,
    pages: Pages = None,
    zone: Zones = None,
    overlay: Annotated[bool, typer.Option("--overlay", help="Draw what was found over each page.")] = False,
    crops: Annotated[bool, typer.Option("--crops", help="Cut out what was found.")] = False,
    contact_sheet: Annotated[bool, typer.Option("--contact-sheet", help="Draw all pages on one sheet.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the output folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; fetch no image.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
) -> None:
    """Find things on the pages of some sources and write them down.

    Exit code: 0 all pages done, 3 some failed, 1 none done, 2 bad usage.
    """
    from limner.operations.annotate import AnnotateRequest
    from limner.operations.outputs import Pictures, Target
    from limner.operations.selection import PageSelection

    target = Target.parse(output, _names(to) or ["jsonl"])
    if target.folder is None and (overlay or crops or contact_sheet):
        raise UsageError("Pictures need a folder to go to.", hint="Give a folder with -o.")
    if output == "-" and as_json:
        raise UsageError(
            "Standard output can hold the annotations or the summary, not both.", hint="Give a file with -o."
        )
    request = AnnotateRequest(
        sources=tuple(sources),
        target=target,
        model=model,
        options=_options(threshold, labels, zone),
        pages=None if pages is None else PageSelection.parse(pages),
        pictures=Pictures(overlays=overlay, crops=crops, contact_sheet=contact_sheet),
        resume=resume,
        dry_run=dry_run,
    )
    server = server_of(context)
    if server is None:
        raise typer.Exit(run(request, as_json=as_json, quiet=quiet))
    from limner.cli.remote import annotate as remote

    raise typer.Exit(remote.run(server, request, as_json=as_json, quiet=quiet))


def run(request: AnnotateRequest, *, as_json: bool, quiet: bool) -> int:
    """Run a request with a progress bar and a summary; gives the exit code."""
    import asyncio

    from limner.cli.progress import ProgressReporter, print_summary
    from limner.core.settings import load_settings
    from limner.operations.annotate import annotate as run_request
    from limner.operations.services import Services

    with Services(load_settings()) as services, ProgressReporter(shown=not quiet) as reporter:
        try:
            summary = asyncio.run(run_request(request, services, reporter))
        except KeyboardInterrupt:
            reporter.interrupted(resumable=request.target.folder is not None)
            return INTERRUPTED
    if as_json:
        typer.echo(json.dumps(summary_to_plain(summary), ensure_ascii=False, indent=2))
    elif not quiet:
        print_summary(summary, dry_run=request.dry_run)
    return ALL_DONE if request.dry_run else exit_code(summary)


def summary_to_plain(summary: Summary) -> dict[str, object]:
    """The summary as JSON values."""
    return {"model": summary.model, "documents": [document.to_plain() for document in summary.documents]}


def exit_code(summary: Summary) -> int:
    """0 when all pages are done, 3 when some failed, 1 when none are done."""
    if not summary.done:
        return NOTHING
    return SOME_FAILED if summary.failed else ALL_DONE


def _options(threshold: float | None, labels: str | None, zones: list[str] | None) -> Options:
    from limner.models.protocol import Options

    wanted = None if labels is None else frozenset(_names([labels]))
    return Options(threshold, wanted, tuple(_zone(zone) for zone in zones or ()))


def _names(values: list[str] | None) -> list[str]:
    """Names given with commas, or by repeating the option, or both."""
    return [name.strip() for value in values or () for name in value.split(",") if name.strip()]


def _zone(text: str) -> Box:
    from limner.annotations.shapes import Box
    from limner.core.errors import ShapeError

    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
        return Box.from_corners(x1, y1, x2, y2)
    except ShapeError as error:
        raise UsageError(f"--zone {text}: {error}") from error
    except ValueError as error:
        raise UsageError(f"--zone {text} is no box.", hint="Write four numbers: X1,Y1,X2,Y2.") from error
