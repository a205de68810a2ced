"""``limner models test NAME --against DATASET``: how good a model is on annotated pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from limner.operations.accuracy.figures import Accuracy


def test_against(name: str, dataset: Path, format_name: str | None, images: Path | None, *, as_json: bool) -> None:
    """Measure an installed model and print the figures."""
    import json

    from limner.core.settings import load_settings
    from limner.operations.accuracy.figures import measure
    from limner.operations.accuracy.labelled import read_labelled
    from limner.operations.services import Services

    settings = load_settings()
    found = read_labelled(dataset, format_name, images)
    for problem in found.problems:
        typer.secho(problem, fg=typer.colors.YELLOW, err=True)
    with Services(settings) as services, services.pool.use(name) as predictor:
        accuracy, ref = measure(predictor, found.pages, settings), predictor.bundle.ref
    if as_json:
        said = {"model": ref, "dataset": str(dataset), "format": found.format, **accuracy.to_plain()}
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
        return
    typer.echo(f"{ref} on {accuracy.pages} pages ({found.format}), scores from {accuracy.threshold:g}, IoU from 0.5")
    for line in table(accuracy):
        typer.echo(line)
    for labels, what in (
        (accuracy.unknown, "Not counted, as the model does not know them"),
        (accuracy.unused, "Not counted, as no page has them"),
    ):
        if labels:
            typer.echo(f"{what}: {', '.join(labels)}.")


def table(accuracy: Accuracy) -> Iterator[str]:
    """The figures, a line for each label and one for all."""
    width = max(len("all"), *(len(each.label) for each in accuracy.labels))
    yield f"{'':{width}}  {'things':>6}  {'finds':>6}  {'precision':>9}  {'recall':>6}  {'F1':>5}  {'AP50':>5}"
    rows = [(each.label, each.ratios, each.ap50) for each in accuracy.labels]
    for label, ratios, ap50 in [*rows, ("all", accuracy.all, accuracy.map50)]:
        yield (
            f"{label:{width}}  {ratios.things:6}  {ratios.finds:6}  {_share(ratios.precision):>9}  "
            f"{_share(ratios.recall):>6}  {_share(ratios.f1):>5}  {_share(ap50):>5}"
        )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
