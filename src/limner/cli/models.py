"""``limner models``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli import model_export
from limner.cli.model_card import card_rows, labels_shown
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
        Path,
        typer.Argument(
            metavar="FILE|DIR|NAME",
            help="A bundle (folder or zip), a file an importer knows, or IMPORTER/NAME such as tesseract/fra+lat.",
        ),
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
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="FILE|NAME", help="A Detectron2 model's config.yaml, or its name in the zoo."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a model of the same name and version.")] = False,
    default: Annotated[bool, typer.Option("--default", help="Use it when no model is named.")] = False,
) -> None:
    """Install a model; it is loaded and tried once first."""
    from limner.models.importers.protocol import Wishes, named_importer
    from limner.models.store import DEFAULT
    from limner.operations.models import add_model, set_alias

    if not path.exists() and named_importer(path) is None:
        raise UsageError(f"There is no file or folder {path}, and no model is known by that name.")
    wished = None if labels is None else tuple(label.strip() for label in labels.split(",") if label.strip())
    if (server := server_of(context)) is not None:
        if config is not None and Path(config).is_file():
            raise UsageError(
                "With --server, --config is a name.",
                hint="Put the file and the weights into one zip file and add that.",
            )
        from limner.cli.remote import models as remote_models

        wishes = Wishes(name, version, wished, config)
        remote_models.add(server, path, wishes, kind=kind, replace=replace, default=default)
        return
    from limner.core.settings import load_settings
    from limner.operations.services import Services

    made_how = Path(config) if config is not None and Path(config).is_file() else config
    with Services(load_settings()) as services:
        store, send = services.store, services.model_calls
        added = add_model(store, path, Wishes(name, version, wished, made_how), kind=kind, replace=replace, send=send)
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
        typer.echo(f"{bundle.ref:{width}}  {bundle.task:8} {bundle.title or labels_shown(bundle.labels)}{aliases}")
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

    card = _plain(show_model(_store(), name))
    if as_json:
        typer.echo(json.dumps(card, ensure_ascii=False, indent=2))
        return
    for key, value in card_rows(card):
        typer.echo(f"{key:16} {value}")


@app.command("test")
def try_one(
    context: typer.Context,
    name: Name,
    image: Annotated[
        Path | None, typer.Option("--image", metavar="FILE", help="Try it on this image. [default: a drawn one]")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="DATASET", help="Measure it on these annotated pages: a file or folder."),
    ] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Format of the dataset, where it cannot be told.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Folder of its images. [default: the dataset's]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a model's weights and time it on an image; or measure how good it is on annotated pages."""
    if against is None and (format_name or images or as_json):
        raise UsageError("--format, --images and --json belong to --against.")
    if (server := server_of(context)) is not None:
        if image is not None or against is not None:
            raise UsageError("--image and --against are not possible with --server.")
        from limner.cli.remote import models as remote_models

        remote_models.try_one(server, name)
        return
    if against is not None:
        from limner.cli.model_figures import test_against

        test_against(name, against, format_name, images, as_json=as_json)
        return
    from limner.core.settings import load_settings
    from limner.operations.models import try_model
    from limner.operations.services import Services
    from limner.sources.decode import decode_file
    from limner.sources.protocol import Want

    settings = load_settings()
    pixels = None if image is None else decode_file(image, Want(), settings).pixels
    with Services(settings) as services:
        trial = try_model(services.store, name, pixels, threads=settings.threads, send=services.model_calls)
    if trial.hash_matches is False:
        typer.secho(f"{trial.ref}: the weights are not those that its bundle names.", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)
    checked = "" if trial.hash_matches is None else "weights as described; "
    providers = f" on {', '.join(trial.providers)}" if trial.providers else ""
    typer.echo(
        f"{trial.ref}: {checked}loaded in {trial.load_seconds:.2f} s{providers}; first page "
        f"{trial.first_seconds:.3f} s, then {trial.seconds:.3f} s; {trial.annotations} annotations."
    )


app.command("export")(model_export.export)


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


@app.command()
def rollback(
    context: typer.Context, alias: Annotated[str, typer.Argument(metavar="ALIAS", help="An alias that was moved.")]
) -> None:
    """Let an alias stand for what it stood for before; each call goes one step further back."""
    if (server := server_of(context)) is not None:
        from limner.cli.remote import models as remote_models

        remote_models.rollback(server, alias)
        return
    former = _store().rollback(alias)
    typer.echo(f"{alias} is forgotten, as before." if former is None else f"{alias} stands for {former} again.")


def _plain(summary: ModelSummary) -> dict[str, object]:
    card = summary.bundle.model_dump(mode="json")
    known = {"ref": summary.bundle.ref, "aliases": list(summary.aliases), "built_in": summary.built_in}
    # What the bundle says of its memory may be nothing; what it is reckoned to take is always known.
    return {**card, **known, "size": summary.size, "memory": summary.memory}
