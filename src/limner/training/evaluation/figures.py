"""Precision, recall, F1 and mean IoU of each label, at any threshold, and the threshold that is best.

Precision is the share of finds that are right, recall the share of things that were found, F1 their harmonic
mean; mean IoU is that of the right finds with their things. What has no denominator is None, not 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from limner.training.evaluation.matching import NOTHING, PageMatches
from limner.training.evaluation.pages import Bools, Floats, Ints, PageFound, PageTruth

S = TypeVar("S", bound=np.generic)

#: Points at which COCO reads precision off the curve.
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True)
class Ratios:
    """Figures of one label, or of all together, at one threshold."""

    #: Things on the pages, finds that count, and finds that are right.
    things: int
    finds: int
    right: int
    #: Sum of the IoU of right finds.
    overlap: float

    @property
    def precision(self) -> float | None:
        """Right finds among finds."""
        return self.right / self.finds if self.finds else None

    @property
    def recall(self) -> float | None:
        """Found things among things."""
        return self.right / self.things if self.things else None

    @property
    def f1(self) -> float | None:
        """2 · right / (finds + things)."""
        return 2 * self.right / (self.finds + self.things) if self.finds + self.things else None

    @property
    def mean_iou(self) -> float | None:
        """Mean IoU of right finds with their things."""
        return self.overlap / self.right if self.right else None


@dataclass(frozen=True, slots=True, eq=False)
class LabelFinds:
    """All finds of one label that count, the surest first, over all pages."""

    #: Things of the label.
    things: int
    scores: Floats
    right: Bools
    iou: Floats
    #: Number of the page of each find, and how many things each page has, for resampling.
    page: Ints
    things_by_page: Ints

    def at(self, threshold: float) -> Ratios:
        """The figures for finds at least so sure."""
        count = int(np.searchsorted(-self.scores, -threshold, side="right"))
        right = self.right[:count]
        return Ratios(self.things, count, int(right.sum()), float(self.iou[:count][right].sum()))

    def curve(self) -> tuple[Floats, Floats, Floats]:
        """Recall, precision and threshold after each find; recall never falls."""
        right = np.cumsum(self.right)
        finds = np.arange(1, len(right) + 1)
        return right / max(self.things, 1), right / finds, self.scores

    def best_threshold(self) -> float | None:
        """The threshold with the highest F1, the highest of equals; None where there is nothing to choose by."""
        if not self.things or not len(self.scores):
            return None
        f1 = 2 * np.cumsum(self.right) / (np.arange(1, len(self.right) + 1) + self.things)
        # Between equal scores no threshold can be drawn.
        last = np.append(self.scores[1:] != self.scores[:-1], True)
        f1 = np.where(last, f1, -1.0)
        return float(self.scores[int(f1.argmax())])

    def average_precision(self, weights: Floats | None = None) -> float | None:
        """Area under the curve, read at 101 recalls as COCO does; ``weights`` says how often a page counts.

        None where there is nothing to be found.
        """
        many = np.ones(len(self.things_by_page)) if weights is None else weights
        things = float((self.things_by_page * many).sum())
        if not things:
            return None
        each = many[self.page]
        right = np.cumsum(self.right * each)
        precision = right / np.maximum(np.cumsum(each), 1e-12)
        best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(right / things, _RECALLS - 1e-9, side="left")
        inside = at < len(best_from_here)
        return float(np.where(inside, np.append(best_from_here, 0.0)[np.minimum(at, len(best_from_here))], 0.0).mean())


def label_finds(
    truth: Sequence[PageTruth], found: Sequence[PageFound], matches: Sequence[PageMatches], labels: int
) -> list[LabelFinds]:
    """The finds of each label over all pages."""
    joined = _joined(found, matches)
    things = np.zeros((labels, len(truth)), dtype=np.int64)
    for number, each in enumerate(truth):
        things[:, number] = np.bincount(each.labels, minlength=labels)
    # Stable, so that equal scores keep the order of the pages, as in COCO's evaluation.
    order = np.argsort(-joined.scores, kind="stable")
    return [_of_label(joined, order[joined.labels[order] == at], things[at]) for at in range(labels)]


def together(parts: Sequence[Ratios]) -> Ratios:
    """The figures of several labels counted together (micro average)."""
    return Ratios(
        sum(each.things for each in parts),
        sum(each.finds for each in parts),
        sum(each.right for each in parts),
        sum(each.overlap for each in parts),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Finds:
    """All finds that count, page after page."""

    scores: Floats
    labels: Ints
    right: Bools
    iou: Floats
    page: Ints


def _joined(found: Sequence[PageFound], matches: Sequence[PageMatches]) -> _Finds:
    pages = [np.full(len(each.scores), number) for number, each in enumerate(found)]
    counts = ~_flat([each.ignored for each in matches], np.bool_)
    return _Finds(
        _flat([each.scores for each in found], np.float64)[counts],
        _flat([each.labels for each in found], np.int64)[counts],
        _flat([each.truth != NOTHING for each in matches], np.bool_)[counts],
        _flat([each.iou for each in matches], np.float64)[counts],
        _flat(pages, np.int64)[counts],
    )


def _of_label(all_finds: _Finds, own: npt.NDArray[np.intp], things: Ints) -> LabelFinds:
    return LabelFinds(
        int(things.sum()),
        all_finds.scores[own],
        all_finds.right[own],
        all_finds.iou[own],
        all_finds.page[own],
        things,
    )


def _flat(parts: Sequence[npt.NDArray[S]], kind: type[S]) -> npt.NDArray[S]:
    return np.concatenate([*parts, np.zeros(0, dtype=kind)]).astype(kind)
