"""What is taken for what: a table of things against finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from limner.training.evaluation.matching import IOU, NOTHING, match
from limner.training.evaluation.pages import Ints, PageFound, PageTruth, paired


def confusion(
    truth: Sequence[PageTruth], found: Sequence[PageFound], labels: int, threshold: float, iou: float = IOU
) -> Ints:
    """How often a thing (row) was taken for a label (column), [labels + 1, labels + 1].

    Finds are matched whatever their label. The last column counts things that were missed, the last row
    finds where nothing is.
    """
    paired(truth, found)
    table = np.zeros((labels + 1, labels + 1), dtype=np.int64)
    for page, finds in zip(truth, found, strict=True):
        _count(table, page, finds.above(threshold), iou)
    return table


def _count(table: Ints, page: PageTruth, finds: PageFound, iou: float) -> None:
    nothing = len(table) - 1
    matches = match(page, finds, iou, across_labels=True)
    counted = ~matches.ignored
    things = np.append(page.labels, nothing)[matches.truth]  # NOTHING, -1, is the last
    np.add.at(table, (things[counted], finds.labels[counted]), 1)
    missed = np.ones(len(page.labels), dtype=bool)
    missed[matches.truth[matches.truth != NOTHING]] = False
    np.add.at(table, (page.labels[missed], np.full(int(missed.sum()), nothing)), 1)
