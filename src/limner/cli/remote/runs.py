"""``limner --server URL train`` and ``runs``: runs that a server carries out."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import typer

from limner.cli.exits import ALL_DONE, NOTHING, SOME_FAILED
from limner.cli.remote.server import Server
from limner.cli.run_lines import print_run, print_runs
from limner.cli.training import RunLine, estimate_rows
from limner.client import Client

#: Seconds between two looks at a run.
_LOOK = 1.0
_FINAL = frozenset({"succeeded", "failed", "cancelled", "partly_failed"})


def train(
    server: Server, wished: Mapping[str, Any], *, resume: str | None, dry_run: bool, as_json: bool, quiet: bool
) -> int:
    """Have a run carried out, and follow it; Ctrl-C lets go of it, and it goes on. Gives the exit code."""
    with server.client() as client:
        if dry_run:
            wished = {key: value for key, value in wished.items() if key != "alias"}
            told = client.runs.estimate(**wished)
            rows = [json.dumps(told, indent=2)] if as_json else estimate_rows(told)
            for row in rows:
                typer.echo(row)
            return ALL_DONE
        run = client.runs.create(**wished) if resume is None else client.runs.resume(resume)
        if not quiet:
            typer.echo(f"Run {run['id']}: {run['architecture']} learns from {run['dataset']}.", err=True)
        try:
            ended = _followed(client, run, shown=not quiet)
        except KeyboardInterrupt:
            typer.echo(f"The run goes on; see `limner runs show {run['id']}`.", err=True)
            return SOME_FAILED
    return _told(ended, as_json=as_json)


def _followed(client: Client, run: Mapping[str, Any], *, shown: bool) -> dict[str, Any]:
    """Until it has ended: the run as it is then."""
    identity, batch = str(run["id"]), 0
    with RunLine(str(run["name"]), shown=shown) as line:
        while True:
            now = client.runs.get(identity)
            found: list[Mapping[str, Any]] = list(client.runs.metrics(identity, batch))
            line.tell(found)
            batch = max([batch, *(int(each["batch"]) for each in found)])
            if now["status"] in _FINAL:
                return dict(now)
            time.sleep(_LOOK)


def _told(run: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        typer.echo(json.dumps(run, ensure_ascii=False, indent=2))
    elif run["status"] == "succeeded":
        typer.echo(f"{run['model']} is installed. Annotate with it: limner annotate IMAGE... --model {run['name']}")
    if run["status"] == "succeeded":
        return ALL_DONE
    if run["status"] == "cancelled":
        typer.echo(f"Stopped. Go on with: limner train --resume {run['id']}", err=True)
        return SOME_FAILED
    typer.secho((run["error"] or {}).get("message") or "The run has failed.", fg=typer.colors.RED, err=True)
    return NOTHING


def list_(server: Server, *, as_json: bool) -> None:
    """List the runs."""
    with server.client() as client:
        print_runs([dict(run) for run in client.runs.list()], as_json=as_json)


def show(server: Server, run: str, *, as_json: bool) -> None:
    """Print how a run stands."""
    with server.client() as client:
        print_run(dict(client.runs.get(run)), as_json=as_json)


def promote(server: Server, run: str, alias: str, *, force: bool) -> dict[str, Any]:
    """Promote a run's model: what came of it."""
    with server.client() as client:
        return dict(client.runs.promote(run, alias, force=force))
