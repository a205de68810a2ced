"""What is taken for what: a table of things against finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from limner.training.evaluation.matching import IOU, NOTHING, match, overlap
from limner.training.evaluation.pages import Floats, Ints, PageFound, PageTruth, paired


def confusion(
    truth: Sequence[PageTruth],
    found: Sequence[PageFound],
    labels: int,
    threshold: float,
    iou: float = IOU,
    overlaps: Sequence[Floats] | None = None,
) -> Ints:
    """How often a thing (row) was taken for a label (column), [labels + 1, labels + 1].

    Finds are matched whatever their label. The last column counts things that were missed, the last row
    finds where nothing is. ``overlaps`` are those of all finds, where they are known.
    """
    paired(truth, found)
    table = np.zeros((labels + 1, labels + 1), dtype=np.int64)
    known = (
        overlaps if overlaps is not None else [overlap(finds, page) for page, finds in zip(truth, found, strict=True)]
    )
    for page, finds, some in zip(truth, found, known, strict=True):
        _count(table, page, finds, (some, threshold, iou))
    return table


def _count(table: Ints, page: PageTruth, finds: PageFound, how: tuple[Floats, float, float]) -> None:
    overlaps, threshold, iou = how
    nothing, sure = len(table) - 1, finds.scores >= threshold
    above = finds.above(threshold)
    matches = match(page, above, iou, across_labels=True, overlaps=overlaps[sure])
    counted = ~matches.ignored
    things = np.append(page.labels, nothing)[matches.truth]  # NOTHING, -1, is the last
    np.add.at(table, (things[counted], above.labels[counted]), 1)
    missed = np.ones(len(page.labels), dtype=bool)
    missed[matches.truth[matches.truth != NOTHING]] = False
    np.add.at(table, (page.labels[missed], np.full(int(missed.sum()), nothing)), 1)
