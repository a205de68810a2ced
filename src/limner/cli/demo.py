"""``limner demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")] = Path(
        "demo-output"
    ),
    model: Annotated[str, typer.Option("--model", "-m", metavar="NAME", help="Model.")] = "text",
) -> None:
    """Annotate sample pages, served as a IIIF manifest on this machine, into every format."""
    import asyncio

    from limner.cli.annotate import exit_code
    from limner.cli.progress import ProgressReporter, print_summary
    from limner.operations.demo import run_demo

    with ProgressReporter(shown=True) as reporter:
        summary = asyncio.run(run_demo(output, model, reporter))
    print_summary(summary, dry_run=False)
    typer.echo(f"Open {output / 'index.html'}", err=True)
    raise typer.Exit(exit_code(summary))
