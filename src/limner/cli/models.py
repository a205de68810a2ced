"""``limner models``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.remote.server import server_of
from limner.core.errors import UsageError

if TYPE_CHECKING:
    from limner.models.store import ModelStore
    from limner.operations.models import ModelSummary

app = typer.Typer(help="Add, list, show, try and remove models.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name, name@version or alias.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def _store() -> ModelStore:
    from limner.core.settings import load_settings
    from limner.models.store import ModelStore

    return ModelStore(load_settings().models_dir)


@app.command()
def add(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="A bundle (folder or zip), or a file an importer knows.")
    ],
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Name to give it. [default: the file's]")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", metavar="V", help="Version to give it.")] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", metavar="A,B", help="Its labels, in the network's order.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="What it is, where it cannot be told.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a model of the same name and version.")] = False,
    default: Annotated[bool, typer.Option("--default", help="Use it when no model is named.")] = False,
) -> None:
    """Install a model; it is loaded and tried once first."""
    from limner.models.importers.protocol import Wishes
    from limner.models.store import DEFAULT
    from limner.operations.models import add_model, set_alias

    if not path.exists():
        raise UsageError(f"There is no file or folder {path}.")
    wished = None if labels is None else tuple(label.strip() for label in labels.split(",") if label.strip())
    if (server := server_of(context)) is not None:
        if kind is not None or replace:
            raise UsageError("--kind and --replace are not possible with --server.")
        from limner.cli.remote import models as remote_models

        remote_models.add(server, path, name=name, version=version, labels=wished, default=default)
        return
    store = _store()
    added = add_model(store, path, Wishes(name, version, wished), kind=kind, replace=replace)
    if default:
        set_alias(store, DEFAULT, added.bundle.ref)
    bundle = added.bundle
    typer.echo(f"{bundle.ref}: {bundle.task}, {len(bundle.labels)} labels, {added.page_seconds:.2f} s a page.")


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the installed models."""
    import json

    if (server := server_of(context)) is not None:
        from limner.cli.remote import models as remote_models

        remote_models.list_(server, as_json=as_json)
        return
    from limner.operations.models import list_models

    store = _store()
    summaries = list_models(store)
    if as_json:
        typer.echo(json.dumps([_plain(summary) for summary in summaries], ensure_ascii=False, indent=2))
        return
    width = max((len(summary.bundle.ref) for summary in summaries), default=0)
    for summary in summaries:
        bundle = summary.bundle
        aliases = f"  [{', '.join(summary.aliases)}]" if summary.aliases else ""
        typer.echo(f"{bundle.ref:{width}}  {bundle.task:8} {bundle.title or _labels(summary)}{aliases}")
    for ref, error in store.damaged().items():
        typer.secho(f"{ref}: {error}", fg=typer.colors.YELLOW, err=True)


@app.command()
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Print a model's card."""
    import json

    if (server := server_of(context)) is not None:
        from limner.cli.remote import models as remote_models

        remote_models.show(server, name, as_json=as_json)
        return
    from limner.operations.models import show_model

    summary = show_model(_store(), name)
    if as_json:
        typer.echo(json.dumps(_plain(summary), ensure_ascii=False, indent=2))
        return
    bundle = summary.bundle
    rows = {
        "Model": bundle.ref,
        "Title": bundle.title,
        "What it does": bundle.task,
        "Labels": _labels(summary),
        "Description": bundle.description,
        "Aliases": ", ".join(summary.aliases),
        "Runtime": bundle.runtime,
        "Size": "" if summary.size is None else f"{summary.size / 1e6:.1f} MB",
        "Memory": f"about {summary.memory / 1e6:.0f} MB",
        "Time": "" if bundle.page_seconds is None else f"{bundle.page_seconds:.2f} s a page when it was added",
        "Score threshold": f"{bundle.thresholds.score:g}",
        "Figures": ", ".join(f"{key} {value:g}" for key, value in bundle.figures.items()),
        "Licence": bundle.licence,
        "Made from": bundle.provenance.source,
        "Trained on": bundle.provenance.training_data,
        "SHA-256": bundle.sha256,
    }
    for key, value in rows.items():
        if value:
            typer.echo(f"{key:16} {value}")


@app.command("test")
def try_one(
    context: typer.Context,
    name: Name,
    image: Annotated[
        Path | None, typer.Option("--image", metavar="FILE", help="Try it on this image. [default: a drawn one]")
    ] = None,
) -> None:
    """Check a model's weights and time it on an image."""
    if (server := server_of(context)) is not None:
        if image is not None:
            raise UsageError("--image is not possible with --server.")
        from limner.cli.remote import models as remote_models

        remote_models.try_one(server, name)
        return
    from limner.core.settings import load_settings
    from limner.operations.models import try_model
    from limner.sources.decode import decode_file
    from limner.sources.protocol import Want

    settings = load_settings()
    pixels = None if image is None else decode_file(image, Want(), settings).pixels
    trial = try_model(_store(), name, pixels, threads=settings.threads)
    if trial.hash_matches is False:
        typer.secho(f"{trial.ref}: the weights are not those that its bundle names.", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)
    checked = "" if trial.hash_matches is None else "weights as described; "
    providers = f" on {', '.join(trial.providers)}" if trial.providers else ""
    typer.echo(
        f"{trial.ref}: {checked}loaded in {trial.load_seconds:.2f} s{providers}; first page "
        f"{trial.first_seconds:.3f} s, then {trial.seconds:.3f} s; {trial.annotations} annotations."
    )


@app.command()
def remove(context: typer.Context, name: Name) -> None:
    """Remove an installed model."""
    if (server := server_of(context)) is not None:
        from limner.cli.remote import models as remote_models

        remote_models.remove(server, name)
        return
    from limner.operations.models import remove_model

    typer.echo(f"Removed {remove_model(_store(), name)}.")


@app.command()
def alias(
    context: typer.Context,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="The alias; `default` is used when no model is named.")],
    target: Annotated[
        str | None, typer.Argument(metavar="NAME", help="What it stands for; leave out to forget the alias.")
    ] = None,
) -> None:
    """Let another name stand for a model."""
    if (server := server_of(context)) is not None:
        from limner.cli.remote import models as remote_models

        remote_models.alias(server, alias, target)
        return
    from limner.operations.models import set_alias

    set_alias(_store(), alias, target)
    typer.echo(f"{alias} is forgotten." if target is None else f"{alias} stands for {target}.")


def _labels(summary: ModelSummary) -> str:
    labels = summary.bundle.labels
    return ", ".join(labels[:12]) + (f" and {len(labels) - 12} more" if len(labels) > 12 else "")


def _plain(summary: ModelSummary) -> dict[str, object]:
    card = summary.bundle.model_dump(mode="json")
    return {**card, "ref": summary.bundle.ref, "aliases": list(summary.aliases), "built_in": summary.built_in}
