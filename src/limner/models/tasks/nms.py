"""Non-maximum suppression: of boxes of one class that overlap, the best stays.

The result is that of the plain greedy method: go through the boxes from the best score down, keep a
box unless it overlaps one that was kept by more than the threshold. Here that is done in blocks, each
compared at once with all boxes kept before it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

_BLOCK = 256


def nms(
    boxes: Floats, scores: Floats, classes: npt.NDArray[np.integer], iou: float, limit: int | None = None
) -> Indices:
    """Indices of the boxes (n × 4: left, top, right, bottom) that stay, best first.

    Boxes of different classes do not touch each other. Among equal scores the first comes first. With
    ``limit`` only so many are kept in all.
    """
    order = np.argsort(-scores, kind="stable")
    by_class = order[np.argsort(classes[order], kind="stable")]
    groups = np.split(by_class, np.flatnonzero(np.diff(classes[by_class])) + 1)
    kept = [group[_greedy(boxes[group], np.float32(iou), limit or len(group))] for group in groups]
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    stays = np.concatenate(kept)
    return stays[np.argsort(rank[stays])][:limit]


def _greedy(boxes: Floats, iou: np.float32, limit: int) -> Indices:
    """Positions that stay, of boxes of one class with the best first."""
    columns = np.ascontiguousarray(boxes.T)
    kept: list[int] = []
    for start in range(0, len(boxes), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(boxes)))
        for first in range(0, len(kept), _BLOCK):  # in parts: small matrices stay in the cache
            block = block[~_overlapping(columns, kept[first : first + _BLOCK], block, iou).any(axis=0)]
        suppresses = _overlapping(columns, block, block, iou)
        gone = np.zeros(len(block), bool)
        for i, position in enumerate(block):
            if not gone[i]:
                kept.append(int(position))
                gone |= suppresses[i]
        if len(kept) >= limit:
            break
    return np.asarray(kept[:limit], np.intp)


def _overlapping(
    columns: Floats, first: list[int] | Indices, second: Indices, iou: np.float32
) -> npt.NDArray[np.bool_]:
    """Whether the intersection over union of each box of one set with each of another is above a threshold."""
    left, top, right, bottom = columns[:, first, None]
    other_left, other_top, other_right, other_bottom = columns[:, None, second]
    width = np.minimum(right, other_right)
    width -= np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom)
    height -= np.maximum(top, other_top)
    shared = np.maximum(width, 0, out=width)
    shared *= np.maximum(height, 0, out=height)
    union = (right - left) * (bottom - top) + (other_right - other_left) * (other_bottom - other_top) - shared
    with np.errstate(invalid="ignore", divide="ignore"):  # two boxes without area: 0 / 0 overlaps nothing
        above: npt.NDArray[np.bool_] = shared / union > iou
    return above


def box_iou(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Intersection over union of each box of one set (n × 4) with each of another (m × 4): n × m."""
    one, two = np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None]
    sides = np.clip(np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2]), 0, None)
    shared = sides.prod(axis=-1)
    areas = (one[..., 2:] - one[..., :2]).prod(axis=-1) + (two[..., 2:] - two[..., :2]).prod(axis=-1)
    union = areas - shared
    out: npt.NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return out
