"""``limner train``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.cli.exits import ALL_DONE, SOME_FAILED
from limner.cli.remote.server import server_of
from limner.core.errors import UsageError

if TYPE_CHECKING:
    from limner.cli.remote.server import Server
    from limner.operations.runs.local import LocalRun, LocalRuns
    from limner.operations.services import Services


def train(
    context: typer.Context,
    dataset: Annotated[
        str | None, typer.Argument(metavar="DATASET", help="Name (its newest version) or name@version.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR|ZIP|FILE", help="Take this in as a dataset first: labelme, COCO, YOLO, …"),
    ] = None,
    architecture: Annotated[
        str | None, typer.Option("--arch", "-a", metavar="NAME", help="Kind of network. [default: lite]")
    ] = None,
    base: Annotated[
        str | None, typer.Option("--from", metavar="MODEL", help="Model to begin with. [default: begin from chance]")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", metavar="N", help="Times that all pages are seen.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", metavar="M", help="Minutes after which it ends.")
    ] = None,
    image_size: Annotated[
        int | None, typer.Option("--image-size", metavar="PIXELS", help="Longer side of images.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", metavar="N", help="Images in a batch.")] = None,
    augment: Annotated[
        str | None, typer.Option("--augment", metavar="NAME", help="How images are changed: a preset, or none.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="What chance begins with.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", "-n", metavar="NAME", help="Name of the model. [default: the dataset's]")
    ] = None,
    alias: Annotated[
        str | None,
        typer.Option("--alias", metavar="ALIAS", help="Let this stand for the model, if it is better than before."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="Choices as JSON or TOML, such as a run's config.json."),
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Go on with a run from its last checkpoint.")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option("--preview", metavar="FILE", help="Only draw what augmentation makes of the pages.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only measure how long it would take, by a few batches.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Teach a network what is on the pages of a dataset; it becomes a model.

    Ctrl-C writes a checkpoint and ends with exit code 3; --resume goes on from there.
    """
    given: dict[str, object] = {
        "dataset": dataset,
        "architecture": architecture,
        "base": base,
        "epochs": epochs,
        "minutes": minutes,
        "image_size": image_size,
        "batch_size": batch_size,
        "augment": augment,
        "seed": seed,
        "name": name,
    }
    values = {**read_choices(config), **{key: value for key, value in given.items() if value is not None}}
    wanted = Wanted(values, data, resume, preview, dry_run=dry_run, alias=alias)
    wanted.check()
    if (server := server_of(context)) is not None:
        raise typer.Exit(_elsewhere(server, wanted, as_json=as_json, quiet=quiet))
    raise typer.Exit(_here(wanted, as_json=as_json, quiet=quiet))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    values: dict[str, object]
    data: Path | None
    resume: str | None
    preview: Path | None
    _: KW_ONLY
    dry_run: bool
    alias: str | None

    def check(self) -> None:
        """Raise `UsageError` where it makes no sense together."""
        if self.resume is not None and (self.values or self.data or self.preview or self.dry_run):
            raise UsageError("--resume goes on with a run as it was begun: nothing else can be chosen.")
        if self.resume is None and self.data is None and not self.values.get("dataset"):
            raise UsageError("There is nothing to learn from.", hint="Name a dataset, or a folder with --data.")
        if self.data is not None and self.values.get("dataset"):
            raise UsageError("Either a dataset is named, or one is taken in with --data.")


def _elsewhere(server: Server, wanted: Wanted, *, as_json: bool, quiet: bool) -> int:
    """On a server; gives the exit code."""
    from limner.cli.remote import runs as remote

    if wanted.data is not None or wanted.preview is not None:
        raise UsageError("--data and --preview are not possible with --server.", hint="Upload the dataset first.")
    wished = {**wanted.values, **({} if wanted.alias is None else {"alias": wanted.alias})}
    return remote.train(server, wished, resume=wanted.resume, dry_run=wanted.dry_run, as_json=as_json, quiet=quiet)


def _here(wanted: Wanted, *, as_json: bool, quiet: bool) -> int:
    """On this machine; gives the exit code."""
    from limner.core.settings import load_settings
    from limner.operations.runs.local import LocalRuns
    from limner.operations.runs.prepare import need_train_extra
    from limner.operations.services import Services

    need_train_extra()
    with Services(load_settings()) as services:
        runs, values = LocalRuns(services), dict(wanted.values)
        if wanted.resume is not None:
            return _carry_out(runs, runs.get(wanted.resume), wanted.alias, as_json=as_json, quiet=quiet)
        if wanted.data is not None:
            values["dataset"] = take_in(services, wanted.data, str(values.get("name") or ""), quiet=quiet)
        if wanted.dry_run or wanted.preview is not None:
            return _look(runs, values, wanted.preview, as_json=as_json)
        return _carry_out(runs, runs.make(values), wanted.alias, as_json=as_json, quiet=quiet)


def read_choices(path: Path | None) -> dict[str, object]:
    """The choices in a file; raises `UsageError` where they cannot be read. What they mean is checked later."""
    if path is None:
        return {}
    import tomllib

    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{path} is neither JSON nor TOML (.toml): {error}.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no choices.", hint='Write {"architecture": "lite", "epochs": 20}.')
    return {key: value for key, value in found.items() if key != "dataset_sha256"}


def take_in(services: Services, path: Path, name: str, *, quiet: bool) -> str:
    """Make a dataset of a folder, a zip file or a file of annotations; its name and version."""
    from limner.operations.datasets.desk import local_datasets
    from limner.operations.datasets.gathering import Wishes
    from limner.operations.datasets.importing import How, import_dataset
    from limner.operations.runs.prepare import model_name

    wishes = Wishes(name=name or model_name(path.resolve().stem))
    imported = import_dataset(path, local_datasets(services.settings), wishes, How(), services.sources)
    if not quiet:
        for problem in imported.problems[:20]:
            typer.secho(problem, fg=typer.colors.YELLOW, err=True)
        pages, labels = len(imported.dataset.pages), ", ".join(imported.dataset.labels[:12])
        typer.echo(f"{imported.dataset.ref}: {pages} pages ({imported.format}), {labels}.", err=True)
    return imported.dataset.ref


def _look(runs: LocalRuns, values: Mapping[str, object], preview: Path | None, *, as_json: bool) -> int:
    """Measure a run, or draw its pages, without beginning it."""
    import tempfile

    from limner.cli.training import estimate_rows
    from limner.operations.runs.prepare import prepare
    from limner.operations.runs.process import Machine, measured, previewed
    from limner.training.fitting.folder import RunFolder

    prepared, machine = prepare(values, runs.place), Machine(runs.services.settings.threads)
    with tempfile.TemporaryDirectory(prefix="limner-look-") as folder:
        run = RunFolder(Path(folder) / "run")
        prepared.write(run)
        if preview is not None:
            previewed(run, preview, machine)
            typer.echo(f"The pages are drawn in {preview}.", err=True)
            return ALL_DONE
        told = measured(run, machine)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return ALL_DONE
    for row in estimate_rows(told):
        typer.echo(row)
    return ALL_DONE


def _carry_out(runs: LocalRuns, run: LocalRun, alias: str | None, *, as_json: bool, quiet: bool) -> int:
    """Carry a run out with a line that shows how far it is; gives the exit code."""
    from limner.cli.training import RunLine

    if not quiet:
        typer.echo(f"Run {run.id}: {run.config.architecture} learns from {run.config.dataset}.", err=True)
    finished = False
    with RunLine(run.config.name, shown=not quiet) as line, suppress(KeyboardInterrupt):
        finished = runs.carry_out(run, line.tell)
    if not finished:
        typer.echo(f"Stopped. Go on with: limner train --resume {run.id}", err=True)
        return SOME_FAILED
    bundle = runs.register(run)
    promotion = None if alias is None else runs.promote(run, alias, force=False)
    if as_json:
        told: dict[str, Any] = {"run": run.id, "model": bundle.ref, "figures": dict(bundle.figures)}
        told["promotion"] = None if promotion is None else promotion.plain()
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return ALL_DONE
    figures = ", ".join(f"{key} {value:.3f}" for key, value in bundle.figures.items() if key.startswith("mAP"))
    typer.echo(f"{bundle.ref} is installed{f': {figures}' if figures else ''}.")
    if promotion is not None:
        typer.echo(promotion.sentence)
    typer.echo(f"Annotate with it: limner annotate IMAGE... --model {bundle.name if promotion is None else alias}")
    return ALL_DONE
