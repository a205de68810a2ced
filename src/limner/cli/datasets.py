"""``limner datasets``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.dataset_figures import print_card, print_duplicates, print_statistics
from limner.core.errors import UsageError

if TYPE_CHECKING:
    from limner.training.datasets.dataset import Dataset
    from limner.training.datasets.splits import Shares
    from limner.training.datasets.store import DatasetStore

app = typer.Typer(
    help="Take in, look at, split, merge and hand out datasets.", no_args_is_help=True, rich_markup_mode=None
)

Ref = Annotated[str, typer.Argument(metavar="DATASET", help="Name (its newest version) or name@version.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
SharesOption = Annotated[
    str,
    typer.Option("--shares", metavar="A,B,C", help="How much of the pages train, val and test get."),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Another one splits otherwise.")]
LabelRules = Annotated[
    list[str] | None,
    typer.Option(
        "--label", "-l", metavar="OLD=NEW", help="Rename a label; OLD= leaves it out. May be repeated, or have commas."
    ),
]
_SHARES = "0.7,0.15,0.15"


def _store() -> DatasetStore:
    from limner.core.settings import load_settings
    from limner.operations.datasets.desk import local_datasets

    return local_datasets(load_settings())


@app.command("import")
def import_(
    source: Annotated[
        str,
        typer.Argument(metavar="PATH|URL", help="A folder, a zip file, or a file of annotations beside its images."),
    ],
    name: Annotated[
        str, typer.Option("--name", "-n", metavar="NAME", help="Name; one that exists gets a new version.")
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="coco, yolo, voc, labelme, labelstudio, alto, page, w3c, jsonl, extractor. [default: found out]",
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Where the images of a single file are.")
    ] = None,
    label: LabelRules = None,
    looked_for: Annotated[
        str | None,
        typer.Option("--looked-for", metavar="A,B", help="Only these labels were looked for on the pages."),
    ] = None,
    documents: Annotated[
        str,
        typer.Option(
            "--documents",
            metavar="page|folder|PATTERN",
            help="What stays in one split: pages for themselves, those of a folder, or those with the same first "
            "group of a regular expression in their paths.",
        ),
    ] = "page",
    shares: SharesOption = _SHARES,
    seed: Seed = 0,
    resplit: Annotated[bool, typer.Option("--resplit", help="Split anew, whatever splits it comes with.")] = False,
    unannotated: Annotated[
        bool, typer.Option("--unannotated", help="Take images without annotations as pages with nothing on them.")
    ] = False,
    difficult: Annotated[
        bool, typer.Option("--ignore-difficult", help="What VOC calls difficult counts neither way.")
    ] = False,
    append: Annotated[bool, typer.Option("--append", help="Add the pages to those of the newest version.")] = False,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="What people call it.")] = "",
    licence: Annotated[str, typer.Option("--licence", metavar="NAME", help="Its licence.")] = "",
    as_json: AsJson = False,
) -> None:
    """Take in a dataset: annotations in a known format with their images."""
    from limner.core.settings import load_settings
    from limner.models.bundle import checked_name
    from limner.operations.datasets.desk import local_datasets
    from limner.operations.datasets.gathering import Wishes
    from limner.operations.datasets.importing import How, import_dataset
    from limner.operations.services import Services
    from limner.training.datasets.labels import LabelMap

    wishes = Wishes(
        name=checked_name(name, "a dataset"),
        title=title,
        licence=licence,
        labels=LabelMap.parse(_listed(label or ())),
        looked_for=tuple(_listed([looked_for or ""])),
        difficult_ignored=difficult,
        shares=_shares(shares),
        seed=seed,
        resplit=resplit,
        append=append,
    )
    how = How(format=form, documents=documents, unannotated=unannotated)
    with Services(load_settings()) as services:
        store = local_datasets(services.settings)
        done = import_dataset(source, store, wishes, how, services.sources, images)
    if as_json:
        extra = {"format": done.format, "kept_splits": done.kept_splits, "problems": list(done.problems)}
        _print_json({**_card(store, done.dataset.ref), **extra})
        return
    for problem in done.problems:
        typer.secho(problem, fg=typer.colors.YELLOW, err=True)
    splits = "the splits it came with" if done.kept_splits else "split here"
    typer.echo(f"{_line(store, done.dataset)} (read as {done.format}, {splits})")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the datasets."""
    from limner.operations.datasets.desk import plain_card

    cards = _store().list()
    if as_json:
        _print_json([plain_card(card) for card in cards])
        return
    width = max((len(f"{card.name}@{card.version}") for card in cards), default=0)
    for card in cards:
        pages = ", ".join(f"{count} {split}" for split, count in card.pages.items())
        typer.echo(f"{card.name + '@' + card.version:{width}}  {pages:32}  {card.title or ', '.join(card.labels[:6])}")


@app.command()
def show(ref: Ref, as_json: AsJson = False) -> None:
    """Print what is known of a dataset."""
    store = _store()
    card = _card(store, ref)
    if as_json:
        _print_json({**card, "versions": list(store.versions(str(card["name"])))})
        return
    print_card(card, store.versions(str(card["name"])))


@app.command()
def stats(
    ref: Ref,
    within: Annotated[
        int, typer.Option("--within", metavar="BITS", min=0, max=128, help="How unlike copies may be, of 256 bits.")
    ] = 16,
    same_split: Annotated[
        bool, typer.Option("--all-duplicates", help="Also pages that look the same inside of one split.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print its labels, sizes, empty pages, splits, and pages of different splits that look the same."""
    from limner.training.datasets.phash import duplicates
    from limner.training.datasets.statistics import plain_pair, statistics

    dataset = _store().get(ref)
    figures = statistics(dataset)
    pairs = duplicates(dataset, within=within, across=not same_split)
    if as_json:
        _print_json({"ref": dataset.ref, **figures.plain(), "duplicates": [plain_pair(pair) for pair in pairs]})
        return
    print_statistics(figures)
    print_duplicates(pairs)


@app.command()
def split(ref: Ref, shares: SharesOption = _SHARES, seed: Seed = 0) -> None:
    """Make another version with other splits; pages of one document stay together."""
    from limner.operations.datasets.desk import split_anew

    store = _store()
    typer.echo(_line(store, split_anew(store, ref, _shares(shares), seed)))


@app.command()
def relabel(
    ref: Ref,
    label: Annotated[
        list[str], typer.Option("--label", "-l", metavar="OLD=NEW", help="Rename a label; OLD= leaves it out.")
    ],
    name: Annotated[str | None, typer.Option("--name", "-n", metavar="NAME", help="Name. [default: the same]")] = None,
) -> None:
    """Make another version with other labels."""
    from limner.operations.datasets import desk
    from limner.training.datasets.labels import LabelMap

    store = _store()
    typer.echo(_line(store, desk.relabel(store, ref, LabelMap.parse(_listed(label)), name)))


@app.command()
def merge(
    refs: Annotated[list[str], typer.Argument(metavar="DATASET…", help="Datasets, by name or name@version.")],
    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="Name of what comes out.")],
) -> None:
    """Make one dataset of several; labels that only some have count on their pages alone."""
    from limner.operations.datasets import desk

    store = _store()
    typer.echo(_line(store, desk.merge(store, refs, name)))


@app.command()
def export(
    ref: Ref,
    to: Annotated[str, typer.Option("--to", "-t", metavar="FORMAT", help="Output format.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR|FILE.zip", help="An empty folder, or a zip file.")
    ],
) -> None:
    """Write a dataset with its images in any format."""
    from limner.operations.datasets.exporting import losses, write_folder, zipped

    dataset = _store().get(ref)
    for warning in losses(dataset, to):
        typer.secho(warning, fg=typer.colors.YELLOW, err=True)
    if output.suffix.lower() == ".zip":
        partial = output.with_name(f".{output.name}.partial")
        try:
            with partial.open("wb") as file:
                file.writelines(zipped(dataset, to))
            partial.replace(output)
        except OSError as error:
            raise UsageError(f"{output} cannot be written: {error.strerror or error}.") from error
        finally:
            partial.unlink(missing_ok=True)
        typer.echo(f"{dataset.ref}: {output}", err=True)
        return
    typer.echo(f"{dataset.ref}: {write_folder(dataset, to, output)} files in {output}", err=True)


@app.command()
def remove(ref: Ref) -> None:
    """Remove one version, with the images that no other needs."""
    typer.echo(f"Removed {_store().remove(ref)}.")


def _listed(values: Iterable[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _shares(text: str) -> Shares:
    from limner.training.datasets.splits import Shares

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{text!r} are no shares.", hint="Write three numbers, as in 0.7,0.15,0.15.") from error
    if not 1 <= len(numbers) <= 3:
        raise UsageError(f"{text!r} are no shares.", hint="Write three numbers, as in 0.7,0.15,0.15.")
    return Shares(*[*numbers, 0.0, 0.0][:3])


def _card(store: DatasetStore, ref: str) -> dict[str, object]:
    from limner.operations.datasets.desk import plain_card

    return {**plain_card(store.card(ref))}


def _line(store: DatasetStore, dataset: Dataset) -> str:
    card = store.card(dataset.ref)
    pages = ", ".join(f"{count} {split}" for split, count in card.pages.items())
    return f"{dataset.ref}: {pages}; {card.annotations} annotations of {len(card.labels)} labels"


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
