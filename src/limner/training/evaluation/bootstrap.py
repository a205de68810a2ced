"""How sure a figure is: intervals by drawing the pages again and again (percentile bootstrap).

Pages are drawn, not finds: what stands on one page goes wrong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.training.evaluation.figures import LabelFinds
from limner.training.evaluation.pages import Floats

#: Times that the pages are drawn.
ROUNDS = 500
#: Share of the draws that an interval holds.
_SURE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies with 95 % of the draws."""

    low: float
    high: float


def weights(pages: int, rounds: int = ROUNDS, seed: int = 0) -> Floats:
    """How often each page is drawn in each round: [rounds, pages]."""
    drawn = np.random.default_rng(seed).multinomial(pages, np.full(pages, 1 / pages), size=rounds)
    return drawn.astype(np.float64)


def average_precision(finds: LabelFinds, drawn: Floats) -> Interval | None:
    """The interval of a label's average precision; None where it has none in too many draws."""
    return interval([finds.average_precision(each) for each in drawn])


def mean_average_precision(labels: Sequence[LabelFinds], drawn: Floats) -> Interval | None:
    """The interval of the mean over labels."""
    return interval([_mean(labels, each) for each in drawn])


def difference(one: Sequence[LabelFinds], other: Sequence[LabelFinds], drawn: Floats) -> Interval | None:
    """The interval of how much more the first has in mean average precision, over the same pages in each draw."""
    return interval([_minus(_mean(one, each), _mean(other, each)) for each in drawn])


def interval(values: Sequence[float | None]) -> Interval | None:
    """The middle 95 % of some values; None where more than half of them are not there."""
    known = [value for value in values if value is not None]
    if not known or len(known) * 2 < len(values):
        return None
    edge = (1 - _SURE) / 2
    low, high = np.quantile(known, [edge, 1 - edge])
    return Interval(float(low), float(high))


def _mean(labels: Sequence[LabelFinds], drawn: Floats) -> float | None:
    each = [value for finds in labels if (value := finds.average_precision(drawn)) is not None]
    return sum(each) / len(each) if each else None


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
