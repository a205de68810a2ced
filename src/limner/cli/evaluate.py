"""``limner evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.evaluation_figures import print_figures
from limner.cli.remote.server import server_of

if TYPE_CHECKING:
    from limner.annotations.annotation import Json
    from limner.operations.evaluation.running import Measured
    from limner.operations.services import Services
    from limner.training.datasets.dataset import Dataset, DatasetPage, Split


class SplitName(StrEnum):
    """The splits of a dataset."""

    train = "train"
    val = "val"
    test = "test"


def evaluate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name, name@version or alias.")],
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Name or name@version.")],
    other: Annotated[
        str | None, typer.Option("--compare", metavar="MODEL", help="Another model, to be measured on the same pages.")
    ] = None,
    split: Annotated[SplitName | None, typer.Option("--split", help="Which pages. [default: test, else val]")] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="T", min=0, max=1, help="Least score. [default: the model's]")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Write a report with pictures there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Measure how good a model is on the held-out pages of a dataset, or which of two is better."""
    server = server_of(context)
    wanted: Split | None = None if split is None else split.value
    if server is not None:
        from limner.cli.remote.evaluate import evaluate as remote

        asked = {"compare": other, "split": wanted, "threshold": threshold}
        raise typer.Exit(remote(server, model, dataset, asked, output=output, as_json=as_json))
    plain = _here(model, dataset, other, wanted, threshold, output)
    print_figures(plain, as_json=as_json)


def _here(
    model: str, dataset: str, other: str | None, split: Split | None, threshold: float | None, output: Path | None
) -> dict[str, Json]:
    """The figures, reckoned on this machine."""
    from limner.core.settings import load_settings
    from limner.operations.datasets.desk import local_datasets
    from limner.operations.evaluation.comparison import check_comparable, compare
    from limner.operations.evaluation.plain import comparison_plain, measured_plain
    from limner.operations.evaluation.report import write_report
    from limner.operations.evaluation.running import chosen_pages
    from limner.operations.services import Services

    settings = load_settings()
    data = local_datasets(settings).get(dataset)
    pages = chosen_pages(data, split)
    with Services(settings) as services:
        if other is not None:
            check_comparable(services.store.get(model), services.store.get(other), data)
        first = _measured(services, model, data, pages, threshold)
        second = None if other is None else _measured(services, other, data, pages, threshold)
    comparison = None if second is None else compare(first, second)
    if output is not None:
        typer.echo(f"The report is {write_report(output, first, data, comparison)}.", err=True)
    plain = measured_plain(first, data)
    return plain if comparison is None else {**plain, "comparison": comparison_plain(comparison)}


def _measured(
    services: Services, model: str, dataset: Dataset, pages: Sequence[DatasetPage], threshold: float | None
) -> Measured:
    """Measure with a bar on the terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from limner.operations.evaluation.running import measure

    with (
        services.pool.use(model) as predictor,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task(model, total=len(pages))
        return measure(
            predictor,
            dataset,
            pages,
            services.settings,
            threshold=threshold,
            told=lambda done: progress.update(task, completed=done),
        )
