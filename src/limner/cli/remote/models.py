"""``limner --server URL models``: the models of a server."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from limner.cli.model_card import card_rows
from limner.cli.remote.server import Server
from limner.client import Model
from limner.core.errors import UsageError
from limner.models.importers.protocol import Wishes


def add(server: Server, path: Path, wishes: Wishes, *, kind: str | None, replace: bool, default: bool) -> None:
    """Upload a model; the server tries it once first."""
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", hint="A bundle goes to a server as a zip file.")
    with server.client() as client:
        model = client.models.upload(
            path,
            name=wishes.name,
            version=wishes.version,
            labels=wishes.labels,
            kind=kind,
            config=None if wishes.config is None else str(wishes.config),
            replace=replace,
        )
        if default:
            client.models.set_alias("default", model.ref)
    typer.echo(f"{model.ref}: {model.task}, {len(model.labels)} labels.")


def list_(server: Server, *, as_json: bool) -> None:
    """List the models."""
    with server.client() as client:
        models = list(client.models.list())
    if as_json:
        typer.echo(json.dumps([dict(model.card) for model in models], ensure_ascii=False, indent=2))
        return
    width = max((len(model.ref) for model in models), default=0)
    for model in models:
        aliases = f"  [{', '.join(model.aliases)}]" if model.aliases else ""
        typer.echo(f"{model.ref:{width}}  {model.task:8} {_title(model)}{aliases}")


def show(server: Server, name: str, *, as_json: bool) -> None:
    """Print a model's card."""
    with server.client() as client:
        model = client.models.get(name)
    if as_json:
        typer.echo(json.dumps(dict(model.card), ensure_ascii=False, indent=2))
        return
    for key, value in card_rows(model.card):
        typer.echo(f"{key:16} {value}")


def try_one(server: Server, name: str) -> None:
    """Check a model's weights and time it on a drawn picture."""
    with server.client() as client:
        trial = client.models.test(name)
    if trial.get("hash_matches") is False:
        typer.secho(f"{trial['ref']}: the weights are not those that its bundle names.", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)
    typer.echo(
        f"{trial['ref']}: loaded in {trial['load_seconds']:.2f} s; first page {trial['first_seconds']:.3f} s, "
        f"then {trial['seconds']:.3f} s; {trial['annotations']} annotations."
    )


def remove(server: Server, name: str) -> None:
    """Remove a model."""
    with server.client() as client:
        client.models.delete(name)
    typer.echo(f"Removed {name}.")


def alias(server: Server, name: str, target: str | None) -> None:
    """Let another name stand for a model, or forget it."""
    with server.client() as client:
        if target is None:
            client.models.delete_alias(name)
            typer.echo(f"{name} is forgotten.")
        else:
            typer.echo(f"{name} stands for {client.models.set_alias(name, target).ref}.")


def rollback(server: Server, name: str) -> None:
    """Let an alias stand for what it stood for before."""
    with server.client() as client:
        former = client.models.rollback(name)["model"]
    typer.echo(f"{name} is forgotten, as before." if former is None else f"{name} stands for {former} again.")


def _title(model: Model) -> str:
    return str(model.card.get("title") or ", ".join(model.labels[:12]))
