"""``limner convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def convert(
    source: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="File or folder of annotations.")],
    reader: Annotated[str, typer.Option("--from", "-f", metavar="FORMAT", help="The format they are in.")],
    to: Annotated[list[str], typer.Option("--to", "-t", metavar="FORMAT", help="Output format; may be repeated.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR|FILE|-", help="Folder, file, or -.")],
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Folder of the images, where the format needs their sizes."),
    ] = None,
) -> None:
    """Turn annotations from one format into others."""
    from limner.operations.convert import convert as run
    from limner.operations.outputs import Target

    names = [name.strip() for value in to for name in value.split(",") if name.strip()]
    result = run(source, reader, Target.parse(output, names), images)
    for warning in result.warnings:
        typer.secho(warning, fg=typer.colors.YELLOW, err=True)
    typer.echo(f"{result.pages} pages, {result.annotations} annotations, {len(result.files)} files.", err=True)
