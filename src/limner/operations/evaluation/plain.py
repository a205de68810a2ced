"""Figures as JSON values and as rows of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from limner.annotations.annotation import Json
from limner.operations.evaluation.comparison import Comparison
from limner.operations.evaluation.running import Measured
from limner.training.datasets.dataset import Dataset
from limner.training.evaluation.bootstrap import Interval
from limner.training.evaluation.evaluation import Evaluation, LabelFigures, PageFigures
from limner.training.evaluation.figures import Ratios

_COLUMNS = (
    "label", "things", "ap", "ap50", "ap50_low", "ap50_high", "precision", "recall", "f1", "mean_iou",
    "best_threshold", "best_f1", "pixel_iou",
)  # fmt: skip


def measured_plain(measured: Measured, dataset: Dataset) -> dict[str, Json]:
    """All figures of a model."""
    out: dict[str, Json] = {
        "model": measured.model,
        "dataset": dataset.ref,
        "dataset_sha256": dataset.sha256,
        "pages": len(measured.pages),
        "unknown_labels": [*measured.unknown],
        "unused_labels": [*measured.unused],
    }
    if measured.text is not None:
        text = measured.text
        out |= {"cer": _short(text.cer), "wer": _short(text.wer), "characters": text.characters, "words": text.words}
    if (evaluation := measured.evaluation) is not None:
        out |= _evaluation(evaluation, measured)
    return out


def _evaluation(evaluation: Evaluation, measured: Measured) -> dict[str, Json]:
    coco = evaluation.coco
    return {
        "kind": evaluation.kind,
        "threshold": evaluation.threshold,
        "map": _short(coco.ap),
        "map50": _short(coco.ap50),
        "map75": _short(coco.ap75),
        "map50_interval": _interval(evaluation.ap50_interval),
        "all": _ratios(evaluation.ratios),
        "labels": [*label_rows(measured)],
        "confusion": {"labels": [*measured.labels, "nothing"], "table": evaluation.confusion.tolist()},
        "curves": {label: _curve(evaluation, at) for at, label in enumerate(measured.labels)},
        "worst_pages": [
            {"page": page.name, "wrong": page.wrong, "missed": page.missed, "right": page.right}
            for page in worst(evaluation, 20)
        ],
    }


def label_rows(measured: Measured) -> list[dict[str, Json]]:
    """The figures of each label."""
    if measured.evaluation is None:
        return []
    pixels = measured.pixels or (None,) * len(measured.labels)
    return [_label(each, iou) for each, iou in zip(measured.evaluation.labels, pixels, strict=True)]


def label_csv(measured: Measured) -> str:
    """The same as a table."""
    out = io.StringIO()
    table = csv.DictWriter(out, _COLUMNS, lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    for row in label_rows(measured):
        interval = row.pop("ap50_interval")
        ends = interval if isinstance(interval, list) else [None, None]
        table.writerow({**row, "ap50_low": ends[0], "ap50_high": ends[1]})
    return out.getvalue()


def comparison_plain(comparison: Comparison) -> dict[str, Json]:
    """Two models beside each other."""
    return {
        "first": comparison.first,
        "second": comparison.second,
        "gain_map50": _short(comparison.gain),
        "interval": _interval(comparison.interval),
        "surely_better": comparison.surely_better,
        "labels": [
            {
                "label": each.label,
                "first": _short(each.first),
                "second": _short(each.second),
                "interval": _interval(each.interval),
            }
            for each in comparison.labels
        ],
        "pages": [
            {
                "page": each.page,
                "first_alone": each.first_alone,
                "second_alone": each.second_alone,
                "together": each.together,
            }
            for each in comparison.pages
        ],
    }


def worst(evaluation: Evaluation, most: int) -> list[PageFigures]:
    """The pages with the most errors, at most so many; those without any are left out."""
    return sorted((page for page in evaluation.pages if page.errors), key=lambda page: (-page.errors, page.name))[:most]


def _label(figures: LabelFigures, iou: float | None) -> dict[str, Json]:
    return {
        "label": figures.label,
        **_ratios(figures.ratios),
        "ap": _short(figures.ap),
        "ap50": _short(figures.ap50),
        "ap50_interval": _interval(figures.ap50_interval),
        "best_threshold": _short(figures.best_threshold),
        "best_f1": _short(figures.best.f1 if figures.best else None),
        "pixel_iou": _short(iou),
    }


def _ratios(ratios: Ratios) -> dict[str, Json]:
    return {
        "things": ratios.things,
        "precision": _short(ratios.precision),
        "recall": _short(ratios.recall),
        "f1": _short(ratios.f1),
        "mean_iou": _short(ratios.mean_iou),
    }


def _curve(evaluation: Evaluation, at: int) -> dict[str, Json]:
    """Recall, precision and threshold at no more than 200 points."""
    recall, precision, threshold = evaluation.finds[at].curve()
    step = max(1, len(recall) // 200)
    return {
        "recall": _rounded(recall[::step].tolist()),
        "precision": _rounded(precision[::step].tolist()),
        "threshold": _rounded(threshold[::step].tolist()),
    }


def _rounded(values: Sequence[float]) -> list[Json]:
    return [round(value, 4) for value in values]


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def _interval(interval: Interval | None) -> Json:
    return None if interval is None else [round(interval.low, 5), round(interval.high, 5)]
