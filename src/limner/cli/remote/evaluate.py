"""``limner --server URL evaluate``: the server measures, and its report comes out here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from limner.cli.evaluation_figures import print_figures
from limner.cli.exits import ALL_DONE, INTERRUPTED, NOTHING, SOME_FAILED
from limner.cli.remote.server import Server
from limner.client import Client, JobEvent
from limner.client.values import Values
from limner.core.errors import ConflictError


def evaluate(
    server: Server, model: str, dataset: str, asked: Mapping[str, Any], *, output: Path | None, as_json: bool
) -> int:
    """Let a server measure a model, and wait for it; Ctrl-C cancels it. Gives the exit code."""
    with server.client() as client:
        made = client.evaluations.create(model, dataset, **asked)
        try:
            _wait(client, made)
        except KeyboardInterrupt:
            _cancel(client, made)
            return INTERRUPTED
        done = client.evaluations.get(made)
        if done["status"] == "cancelled" or done["figures"] is None:
            typer.secho(
                (done["error"] or {}).get("message") or f"It was {done['status']}.", fg=typer.colors.RED, err=True
            )
            return NOTHING
        if output is not None:
            typer.echo(f"The report is {client.evaluations.save_report(done, output)}.", err=True)
    print_figures(done["figures"], as_json=as_json)
    if failed := done["pages"]["failed"]:
        typer.secho(f"{failed} pages could not be looked at, and are left out.", fg=typer.colors.RED, err=True)
        return SOME_FAILED
    return ALL_DONE


def _wait(client: Client, evaluation: Values) -> None:
    """With a bar on the terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(str(evaluation["model"]), total=None)

        def told(event: JobEvent) -> None:
            if event.page is not None:
                progress.advance(task)
            elif event.job is not None:
                progress.update(task, total=event.job.pages.total or None)

        client.jobs.wait(str(evaluation["id"]), on_event=told)


def _cancel(client: Client, evaluation: Values) -> None:
    try:
        client.jobs.cancel(str(evaluation["id"]))
    except ConflictError:  # it has ended meanwhile
        return
