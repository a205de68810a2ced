"""All figures of a model on some pages, and of two models beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.training.evaluation import bootstrap
from limner.training.evaluation.bootstrap import Interval
from limner.training.evaluation.coco import CocoFigures, Kind, coco_figures
from limner.training.evaluation.confusion import confusion
from limner.training.evaluation.figures import LabelFinds, Ratios, label_finds, together
from limner.training.evaluation.matching import NOTHING, PageMatches, match, overlap
from limner.training.evaluation.pages import Floats, Ints, PageFound, PageTruth, paired


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """The figures of one label."""

    label: str
    #: COCO's average precision over IoU 0.5 to 0.95, and at 0.5; None where there is nothing to be found.
    ap: float | None
    ap50: float | None
    #: Where ``ap50`` lies with 95 % of draws of the pages.
    ap50_interval: Interval | None
    #: At the threshold that was asked for.
    ratios: Ratios
    #: The threshold with the highest F1, and the figures there.
    best_threshold: float | None
    best: Ratios | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFigures:
    """How a page went."""

    name: str
    #: Wrong finds and missed things, at the threshold that was asked for.
    wrong: int
    missed: int
    right: int

    @property
    def errors(self) -> int:
        """Wrong and missed together: the worst pages have most."""
        return self.wrong + self.missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All figures."""

    kind: Kind
    #: The threshold of `LabelFigures.ratios`, the confusion and the pages.
    threshold: float
    labels: tuple[LabelFigures, ...]
    coco: CocoFigures
    #: Where COCO's mean at IoU 0.5 lies with 95 % of draws of the pages.
    ap50_interval: Interval | None
    #: All labels counted together.
    ratios: Ratios
    #: Things (rows) against finds (columns); the last are "nothing".
    confusion: Ints
    pages: tuple[PageFigures, ...]
    #: The finds behind it, for curves and comparisons.
    finds: tuple[LabelFinds, ...]

    def ap50(self, label: str) -> float | None:
        """Average precision of a label at IoU 0.5."""
        return next(each.ap50 for each in self.labels if each.label == label)


def evaluate(
    truth: Sequence[PageTruth],
    found: Sequence[PageFound],
    labels: Sequence[str],
    *,
    threshold: float = 0.5,
    kind: Kind = "bbox",
    rounds: int = bootstrap.ROUNDS,
) -> Evaluation:
    """Compare what was found with what is there; ``rounds`` of 0 leaves the intervals out.

    Raises `UsageError` where both are not of the same pages, and `MissingExtraError` without the extra ``train``.
    """
    paired(truth, found)
    coco = coco_figures(truth, found, labels, kind)
    overlaps = [overlap(finds, page) for page, finds in zip(truth, found, strict=True)]
    matches = [match(page, finds, overlaps=some) for page, finds, some in zip(truth, found, overlaps, strict=True)]
    finds = label_finds(truth, found, matches, len(labels))
    drawn = bootstrap.weights(len(truth), rounds) if rounds and truth else None
    figures = tuple(
        _label(label, each, coco.by_label[at], threshold, drawn)
        for at, (label, each) in enumerate(zip(labels, finds, strict=True))
    )
    return Evaluation(
        kind=kind,
        threshold=threshold,
        labels=figures,
        coco=coco,
        ap50_interval=None if drawn is None else bootstrap.mean_average_precision(finds, drawn),
        ratios=together([each.ratios for each in figures]),
        confusion=confusion(truth, found, len(labels), threshold, overlaps=overlaps),
        pages=tuple(_page(*each, threshold) for each in zip(truth, found, matches, strict=True)),
        finds=tuple(finds),
    )


def _label(
    label: str,
    finds: LabelFinds,
    ap: tuple[float | None, float | None],
    threshold: float,
    drawn: Floats | None,
) -> LabelFigures:
    best = finds.best_threshold()
    return LabelFigures(
        label=label,
        ap=ap[0],
        ap50=ap[1],
        ap50_interval=None if drawn is None else bootstrap.average_precision(finds, drawn),
        ratios=finds.at(threshold),
        best_threshold=best,
        best=None if best is None else finds.at(best),
    )


def _page(truth: PageTruth, found: PageFound, matches: PageMatches, threshold: float) -> PageFigures:
    counts = (found.scores >= threshold) & ~matches.ignored
    right = int((counts & (matches.truth != NOTHING)).sum())
    return PageFigures(
        name=truth.name, right=right, wrong=int(np.count_nonzero(counts)) - right, missed=len(truth.labels) - right
    )
