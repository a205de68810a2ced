"""Datasets as tables in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from limner.training.datasets.phash import Pair
    from limner.training.datasets.statistics import LabelFigures, Statistics

#: Most pairs that are printed.
_MOST_PAIRS = 20


def print_card(card: Mapping[str, object], versions: Sequence[str]) -> None:
    """What is known of a dataset, a line each."""
    for key, value in {**card, "versions": list(versions)}.items():
        shown = value
        if isinstance(value, Mapping):
            shown = ", ".join(f"{count} {split}" for split, count in value.items())
        elif isinstance(value, list):
            shown = ", ".join(map(str, value))
        if shown not in ("", None):
            typer.echo(f"{key:16} {shown}")


def print_statistics(figures: Statistics) -> None:
    """Splits and labels."""
    from rich.console import Console
    from rich.table import Table

    splits = Table("split", "pages", "documents", "empty pages")
    for split, pages in figures.pages.items():
        splits.add_row(split, str(pages), str(figures.documents[split]), str(figures.empty[split]))
    labels = Table("label", *figures.pages, "pages", "size p10 · p50 · p90", "small · medium · large")
    for each in figures.labels:
        labels.add_row(*_row(each))
    console = Console()
    console.print(splits)
    console.print(labels)
    said = {
        "zones in which nothing is known": figures.ignored,
        "pages on which only some labels were looked for": figures.partial,
        "documents in several splits": len(figures.torn),
    }
    for what, count in said.items():
        if count:
            typer.echo(f"{count} {what}")


def _row(each: LabelFigures) -> tuple[str, ...]:
    sizes = " · ".join(f"{size:.1%}" for size in each.sizes)
    counts = " · ".join(map(str, each.classes))
    return (each.label, *map(str, each.splits.values()), str(each.pages), sizes, counts)


def print_duplicates(pairs: Sequence[Pair]) -> None:
    """Pages that look the same."""
    if not pairs:
        typer.echo("No two pages look the same across splits.")
        return
    typer.secho(f"{len(pairs)} pairs of pages look the same:", fg=typer.colors.YELLOW)
    for pair in pairs[:_MOST_PAIRS]:
        first, second = pair.first, pair.second
        typer.echo(f"  {first.page.name} ({first.split}) and {second.page.name} ({second.split}): {pair.distance} bits")
    if len(pairs) > _MOST_PAIRS:
        typer.echo(f"  … and {len(pairs) - _MOST_PAIRS} more; --json has them all.")
