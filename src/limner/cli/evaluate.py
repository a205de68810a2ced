"""``limner evaluate``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from limner.operations.evaluation.comparison import Comparison
    from limner.operations.evaluation.running import Measured
    from limner.operations.services import Services
    from limner.training.datasets.dataset import Dataset, DatasetPage


class SplitName(StrEnum):
    """The splits of a dataset."""

    train = "train"
    val = "val"
    test = "test"


def evaluate(
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
    from limner.core.settings import load_settings
    from limner.operations.evaluation.comparison import compare
    from limner.operations.evaluation.plain import comparison_plain, measured_plain
    from limner.operations.evaluation.report import write_report
    from limner.operations.evaluation.running import chosen_pages
    from limner.operations.services import Services
    from limner.training.datasets.store import DatasetStore

    settings = load_settings()
    data = DatasetStore(settings.data / "datasets").get(dataset)
    pages = chosen_pages(data, None if split is None else split.value)
    with Services(settings) as services:
        first = _measured(services, model, data, pages, threshold)
        second = None if other is None else _measured(services, other, data, pages, threshold)
    comparison = None if second is None else compare(first, second)
    if output is not None:
        typer.echo(f"The report is {write_report(output, first, data, comparison)}.", err=True)
    if as_json:
        plain = measured_plain(first, data)
        if comparison is not None:
            plain["comparison"] = comparison_plain(comparison)
        typer.echo(json.dumps(plain, ensure_ascii=False, indent=2))
        return
    for line in (*_lines(first, data), *(_compared(comparison) if comparison else ())):
        typer.echo(line)


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


def _lines(measured: Measured, dataset: Dataset) -> Iterator[str]:
    """What is printed of a model."""
    yield f"{measured.model} on {len(measured.pages)} pages of {dataset.ref}"
    if (text := measured.text) is not None:
        yield f"character error rate {_share(text.cer)}, word error rate {_share(text.wer)}"
    if (evaluation := measured.evaluation) is None:
        return
    width = max(len("all"), *(len(label) for label in measured.labels))
    yield f"scores from {evaluation.threshold:g}, IoU from 0.5; mAP {_share(evaluation.coco.ap)}"
    yield (
        f"{'':{width}}  {'things':>6}  {'precision':>9}  {'recall':>6}  {'F1':>5}  {'IoU':>5}  {'AP50':>5}  "
        f"{'95 %':>13}  {'best at':>7}"
    )
    rows = [(each.label, each.ratios, each.ap50, each.ap50_interval, each.best_threshold) for each in evaluation.labels]
    for label, ratios, ap50, interval, best in [
        *rows,
        ("all", evaluation.ratios, evaluation.coco.ap50, evaluation.ap50_interval, None),
    ]:
        ends = "–" if interval is None else f"{interval.low:.3f}–{interval.high:.3f}"
        yield (
            f"{label:{width}}  {ratios.things:6}  {_share(ratios.precision):>9}  {_share(ratios.recall):>6}  "
            f"{_share(ratios.f1):>5}  {_share(ratios.mean_iou):>5}  {_share(ap50):>5}  {ends:>13}  {_share(best):>7}"
        )
    if measured.unknown:
        yield f"Not counted, as the model does not know them: {', '.join(measured.unknown)}."


def _compared(comparison: Comparison) -> Iterator[str]:
    """What is printed of two."""
    gain = "–" if comparison.gain is None else f"{comparison.gain:+.3f}"
    interval = comparison.interval
    ends = "" if interval is None else f", 95 % between {interval.low:+.3f} and {interval.high:+.3f}"
    sure = "surely better" if comparison.surely_better else "not surely better"
    yield f"{comparison.first} beside {comparison.second}: {gain} mAP50{ends}: {sure}"
    for each in comparison.labels:
        yield f"  {each.label}: {_share(each.first)} beside {_share(each.second)}"
    for page in comparison.pages[:5]:
        if page.first_alone + page.second_alone:
            yield f"  they disagree on {page.page}: {page.first_alone} only the one, {page.second_alone} only the other"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
