"""``limner runs``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.cli.remote.server import server_of
from limner.cli.run_lines import print_run, print_runs

if TYPE_CHECKING:
    from limner.operations.runs.local import LocalRun

app = typer.Typer(help="List, show and promote runs.", no_args_is_help=True, rich_markup_mode=None)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Its id, as `limner runs list` prints it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the runs, the newest first."""
    if (server := server_of(context)) is not None:
        from limner.cli.remote import runs as remote

        remote.list_(server, as_json=as_json)
        return
    from limner.core.settings import load_settings
    from limner.operations.runs.local import LocalRuns
    from limner.operations.services import Services

    with Services(load_settings()) as services:
        found = [_plain(run) for run in LocalRuns(services).list()]
    print_runs(found, as_json=as_json)


@app.command()
def show(context: typer.Context, run: RunId, as_json: AsJson = False) -> None:
    """Print how a run stands."""
    if (server := server_of(context)) is not None:
        from limner.cli.remote import runs as remote

        remote.show(server, run, as_json=as_json)
        return
    from limner.core.settings import load_settings
    from limner.operations.runs.local import LocalRuns
    from limner.operations.services import Services

    with Services(load_settings()) as services:
        print_run(_plain(LocalRuns(services).get(run)), as_json=as_json)


@app.command()
def promote(
    context: typer.Context,
    run: RunId,
    alias: Annotated[str, typer.Option("--alias", metavar="ALIAS", help="What is to stand for its model.")] = "default",
    force: Annotated[bool, typer.Option("--force", help="Whether it is better or not.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let an alias stand for a run's model, if it is better on the held-out pages; exit code 1 where it is not.

    `limner models rollback ALIAS` takes it back.
    """
    if (server := server_of(context)) is not None:
        from limner.cli.remote import runs as remote

        told = remote.promote(server, run, alias, force=force)
    else:
        from limner.core.settings import load_settings
        from limner.operations.runs.local import LocalRuns
        from limner.operations.services import Services

        with Services(load_settings()) as services:
            runs = LocalRuns(services)
            promotion = runs.promote(runs.get(run), alias, force=force)
            told = {**promotion.plain(), "detail": promotion.sentence}
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else str(told["detail"]))
    if not told["moved"] and told["map50"] is not None:
        raise typer.Exit(1)


def _plain(run: LocalRun) -> dict[str, Any]:
    from dataclasses import asdict

    from limner.operations.runs.progress import error_of, progress_of, result_of
    from limner.operations.runs.promotion import promotion_of

    progress, result = progress_of(run.folder), result_of(run.folder) or {}
    return {
        "id": run.id,
        "name": run.config.name,
        "status": run.status,
        "architecture": run.config.architecture,
        "dataset": run.config.dataset,
        "base": run.config.base or None,
        "config": run.config.model_dump(mode="json"),
        "progress": {**asdict(progress), "seconds_left": progress.seconds_left},
        "figures": dict(result.get("figures", {})),
        "labels": list(result.get("labels", ())),
        "promotion": promotion_of(run.folder),
        "error": error_of(run.folder),
        "folder": str(run.folder.path),
    }
