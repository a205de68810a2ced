"""``limner manifest``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.exits import ALL_DONE, BAD_USAGE, NOTHING

if TYPE_CHECKING:
    from limner.operations.manifest import ManifestReport

app = typer.Typer(help="Look at IIIF manifests.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def manifest() -> None:
    """Look at IIIF manifests."""


@app.command()
def check(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Address or file of a manifest or collection.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="NAME", help="Model to estimate the time for.")
    ] = "default",
) -> None:
    """Say what is in a manifest, what cannot be used and why, and how long it would take.

    Exit code: 0 something can be annotated, 1 nothing can, 2 it is no IIIF.
    """
    import asyncio

    from limner.core.errors import NotIIIFError
    from limner.core.settings import load_settings
    from limner.operations.manifest import check_manifest
    from limner.operations.models import expected_seconds
    from limner.operations.services import Services

    with Services(load_settings()) as services:
        bundle = services.store.get(model)
        try:
            report = asyncio.run(
                check_manifest(
                    source,
                    services.sources,
                    seconds_per_page=expected_seconds(bundle),
                    wanted_side=bundle.wanted_side,
                )
            )
        except NotIIIFError as error:
            typer.echo(f"{source}: {error}", err=True)
            raise typer.Exit(BAD_USAGE) from error
    if as_json:
        typer.echo(json.dumps(report.to_plain(), ensure_ascii=False, indent=2))
    else:
        _print(report)
    raise typer.Exit(ALL_DONE if report.usable else NOTHING)


def _print(report: ManifestReport) -> None:
    """The report for people: what is there, what is not, and how long it would take."""
    typer.secho(report.title or report.type, bold=True)
    typer.echo(f"{report.type}, version {report.version}: {report.canvases} canvases, {report.images} usable images.")
    if report.sizes.smallest and report.sizes.largest:
        small, large = report.sizes.smallest, report.sizes.largest
        typer.echo(
            f"Sizes: {small[0]} × {small[1]} to {large[0]} × {large[1]} pixels; {report.sizes.unknown} not announced."
        )
    typer.echo(f"Rights: {report.rights or 'not stated'}")
    typer.echo(f"Estimated time: {_duration(report.estimate_seconds)}, waiting for the server's sake included.")
    for entry in report.skipped:
        typer.secho(f"skipped  {entry.where}: {entry.reason}", fg=typer.colors.YELLOW)
    for problem in report.problems:
        typer.secho(f"mended   {problem}", fg=typer.colors.YELLOW)
    if not report.usable:
        typer.secho("Nothing in it can be annotated.", fg=typer.colors.RED, err=True)


def _duration(seconds: float) -> str:
    """Seconds as people say them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
