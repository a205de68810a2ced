"""Which find is which thing: one to one, the surest first, as COCO's evaluation does it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.training.evaluation.pages import Bools, Floats, Ints, PageFound, PageTruth

#: Overlap from which a find counts as the thing.
IOU = 0.5
#: A find that was matched with nothing.
NOTHING = -1


@dataclass(frozen=True, slots=True, eq=False)
class PageMatches:
    """What came of each find of a page, in the order of the finds."""

    #: Position of the thing that it is, or `NOTHING`.
    truth: Ints
    #: Intersection over union with it; 0 where there is none.
    iou: Floats
    #: Whether it lies where nothing is known, and counts for nobody.
    ignored: Bools


def match(
    truth: PageTruth,
    found: PageFound,
    iou: float = IOU,
    *,
    across_labels: bool = False,
    overlaps: Floats | None = None,
) -> PageMatches:
    """Match finds (the surest first) with things of their label, or of any label.

    A find takes the free thing that it overlaps most, at least ``iou``; one that has none and lies with so
    much of its own area in an unknown zone is ignored (pycocotools, ``evaluateImg``).
    ``overlaps`` are those of `overlap`, where they are known.
    """
    count = len(found.boxes)
    overlaps = overlap(found, truth) if overlaps is None else overlaps
    if not across_labels:
        overlaps = np.where(found.labels[:, None] == truth.labels[None, :], overlaps, -1.0)
    taken, best = _greedy(overlaps, iou)
    ignored = np.zeros(count, dtype=bool)
    if len(truth.ignore) or not truth.exhaustive.all():
        free = taken == NOTHING
        ignored[free] = _in_unknown(truth, found, iou)[free]
    return PageMatches(taken, best, ignored)


def overlap(found: PageFound, truth: PageTruth) -> Floats:
    """Intersection over union of masks where both have them, else of boxes: [finds, things]."""
    if found.masks is not None and truth.masks is not None:
        return _mask_iou(found, truth)
    return box_iou(found.boxes, truth.boxes)


def box_iou(one: Floats, other: Floats) -> Floats:
    """Intersection over union of boxes given by their corners: [N, 4] and [M, 4] make [N, M]."""
    both = _intersections(one, other)
    return both / np.maximum(_areas(one)[:, None] + _areas(other)[None, :] - both, 1e-12)


def _mask_iou(found: PageFound, truth: PageTruth) -> Floats:
    from faster_coco_eval.core import mask as masks  # type: ignore[import-untyped]

    if not found.masks or not truth.masks:
        return np.zeros((len(found.boxes), len(truth.boxes)))
    crowd = [0] * len(truth.masks)
    return np.asarray(masks.iou(list(found.masks), list(truth.masks), crowd), dtype=np.float64)


def _greedy(overlaps: Floats, iou: float) -> tuple[Ints, Floats]:
    """For each row its column, each column once, and the value there."""
    taken = np.full(len(overlaps), NOTHING, dtype=np.int64)
    best = np.zeros(len(overlaps))
    if overlaps.size == 0:
        return taken, best
    good = overlaps >= iou
    rows, columns = np.nonzero(good)
    if len(rows) != len(set(rows.tolist())) or len(columns) != len(set(columns.tolist())):
        rows, columns = _in_turn(overlaps, np.unique(rows), iou)
    taken[rows], best[rows] = columns, overlaps[rows, columns]
    return taken, best


def _in_turn(overlaps: Floats, worthwhile: Ints, iou: float) -> tuple[Ints, Ints]:
    """Rows, one after the other, and the column that each gets."""
    free = overlaps[worthwhile]
    rows, columns = [], []
    for at, row in enumerate(worthwhile.tolist()):
        column = int(free[at].argmax())
        if free[at, column] >= iou:
            rows.append(row)
            columns.append(column)
            free[at + 1 :, column] = -1.0
    return np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64)


def _in_unknown(truth: PageTruth, found: PageFound, iou: float) -> Bools:
    zones, labels = truth.unknown
    if not len(zones) or not len(found.boxes):
        return np.zeros(len(found.boxes), dtype=bool)
    shares = _intersections(found.boxes, zones) / np.maximum(_areas(found.boxes)[:, None], 1e-12)
    meant = found.labels[:, None] == labels[None, :]
    return np.asarray(((shares >= iou) & meant).any(axis=1))


def _intersections(one: Floats, other: Floats) -> Floats:
    left_top = np.maximum(one[:, None, :2], other[None, :, :2])
    right_bottom = np.minimum(one[:, None, 2:], other[None, :, 2:])
    sides = np.clip(right_bottom - left_top, 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])


def _areas(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
