"""The order in which people read the lines of a page.

Lines that follow each other closely form a block. Of two blocks one above the other, the upper comes
first; of two side by side, the left one, unless a block that spans both lies between them. This is
the partial order of T. M. Breuel, “High performance document layout analysis” (2003), on blocks in
place of lines, so that a date at the right is still read before the greeting below it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from limner.annotations.shapes import Box

Relation = npt.NDArray[np.bool_]
#: n × 4: left, top, right, bottom.
Corners = npt.NDArray[np.float64]

#: Boxes stand one above the other when they share so much of the narrower one's width.
_ABOVE = 0.2
#: Lines stand in one row when they share so much of the lower one's height.
_ROW = 0.5
#: Blocks stand side by side when they share so much of the lower one's height.
_BESIDE = 0.25
#: Lines of one block are no further apart than so many times the height of the taller.
_LEADING = 1.2
#: A line is short when it is less than so many times as wide as high.
_SHORT = 5.0
#: Least ratio of the heights of two lines of one block.
_ALIKE = 0.5


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """The indices of boxes of text, in the order in which they are read.

    Columns are read one after the other, from left to right, and tables with short cells by their
    rows. Any boxes are allowed; where they
    overlap so oddly that no order follows, the highest comes first.
    """
    if not boxes:
        return []
    lines = np.array([box.corners for box in boxes], np.float64)
    blocks = _blocks(lines)
    frames = np.array([[*lines[block, :2].min(axis=0), *lines[block, 2:].max(axis=0)] for block in blocks])
    before = _before(frames, np.array([len(block) for block in blocks]))
    return [line for block in _sorted(before, frames) for line in blocks[block]]


def _shared(corners: Corners, axis: int) -> Corners:
    """For each two boxes, the part of the smaller one's extent that they share; below 0 for a gap."""
    low, high = corners[:, axis], corners[:, axis + 2]
    shared = np.minimum.outer(high, high) - np.maximum.outer(low, low)
    return np.asarray(shared / np.minimum.outer(high - low, high - low), np.float64)


def _centres(corners: Corners, axis: int) -> Corners:
    return np.asarray((corners[:, axis] + corners[:, axis + 2]) / 2, np.float64)


def _blocks(lines: Corners) -> list[list[int]]:
    """Chains of lines, top to bottom, each the only near one below the one before."""
    heights = lines[:, 3] - lines[:, 1]
    gap = lines[None, :, 1] - lines[:, None, 3]
    down = np.less.outer(_centres(lines, 1), _centres(lines, 1)) & (_shared(lines, 1) < _ROW)
    near = down & (_shared(lines, 0) > _ABOVE) & (gap < _LEADING * np.maximum.outer(heights, heights))
    # The line after next may be near too, where lines are low: only what nothing lies between counts.
    near &= ~((near.astype(np.float32) @ near.astype(np.float32)) > 0)
    alike = np.minimum.outer(heights, heights) > _ALIKE * np.maximum.outer(heights, heights)
    only = near & alike & (near.sum(axis=1, keepdims=True) == 1) & (near.sum(axis=0, keepdims=True) == 1)
    only &= ~_cells(lines, only)
    following = {int(above): int(below) for above, below in np.argwhere(only)}
    starts = sorted(set(range(len(lines))) - set(following.values()))
    chains = [_chain(start, following) for start in starts]
    alone = [chain[0] for chain in chains if len(chain) == 1]
    return [part for chain in chains for part in _parted(chain, alone, lines)]


def _short(boxes: Corners) -> Relation:
    return np.asarray(boxes[:, 2] - boxes[:, 0] < _SHORT * (boxes[:, 3] - boxes[:, 1]), np.bool_)


def _cells(lines: Corners, below: Relation) -> Relation:
    """Which lines stand one below the other as cells of a table: short, and so are their neighbours in the row."""
    short = _short(lines)
    row = (_shared(lines, 1) > _ROW) & (_shared(lines, 0) < 0) & np.logical_and.outer(short, short)
    neighbours = row.astype(np.float32)
    return np.asarray(neighbours @ below.astype(np.float32) @ neighbours > 0, np.bool_)


def _chain(start: int, following: dict[int, int]) -> list[int]:
    out = [start]
    while out[-1] in following:
        out.append(following[out[-1]])
    return out


def _parted(chain: list[int], alone: list[int], lines: Corners) -> list[list[int]]:
    """A running title apart from the text below it: what stands beside it, a page number, comes first."""
    first, *rest = chain
    if not rest or not alone:
        return [chain]
    edges = lines[chain, 0].min(), lines[chain, 2].max()
    for other in alone:
        across, row = (float(_shared(lines[[first, other]], axis)[0, 1]) for axis in (0, 1))
        if row > _ROW and across < _ABOVE and edges[0] < lines[other, 0] and lines[other, 2] < edges[1]:
            return [[first], rest]
    return [chain]


def _before(frames: Corners, sizes: npt.NDArray[np.intp]) -> Relation:
    """Which block has to come before which: element [a, b] says that a comes before b."""
    across, row = _shared(frames, 0), _shared(frames, 1)
    lefter = np.less.outer(_centres(frames, 0), _centres(frames, 0))
    stacked = (across > _ABOVE) & (across >= row)
    beside = ~stacked & (row > _BESIDE)
    y = _centres(frames, 1)
    cell = (sizes == 1) & _short(frames)
    columns = _columns(stacked, beside & lefter, sizes > 1, cell) & lefter & ~_separated(frames, stacked, y)
    sideways = beside | (~stacked & (columns | columns.T))
    return np.asarray(np.where(sideways, lefter, np.less.outer(y, y)), np.bool_)


def _columns(stacked: Relation, beside: Relation, paragraph: Relation, cell: Relation) -> Relation:
    """Whether one block [a] is in a column to the left of the column of another [b].

    They are no neighbours themselves. The column of a has to go on beside b. If b is a single line,
    which may be a page number beside a running title, its column has to go on beside a too. Two
    cells of a table are in no columns.
    """
    links, neighbours = stacked.astype(np.float32), beside.astype(np.float32)
    goes_on, goes_back = (links @ neighbours) > 0, (neighbours @ links) > 0
    return np.asarray(goes_on & (paragraph | (goes_back & ~np.logical_and.outer(cell, cell))), np.bool_)


def _separated(frames: Corners, stacked: Relation, y: Corners) -> Relation:
    """Whether a block that spans both of two blocks lies between them."""
    out = np.zeros_like(stacked)
    for middle in range(len(frames)):
        column = stacked[middle]
        if frames[column, 2].min() >= frames[column, 0].max():
            continue  # all that it overlaps overlaps too, so there is nothing to separate
        upper, lower = column & (y < y[middle]), column & (y > y[middle])
        out |= np.logical_and.outer(upper, lower)
    return out | out.T


def _sorted(before: Relation, frames: Corners) -> list[int]:
    """A topological order; of those that may come next the highest, then the leftmost."""
    rank = np.lexsort((frames[:, 0], frames[:, 1]))
    place = np.empty(len(rank), np.intp)
    place[rank] = np.arange(len(rank))
    waiting, left, out = before.sum(axis=0), np.ones(len(rank), np.bool_), []
    while left.any():
        free = np.flatnonzero(left & (waiting == 0))
        candidates = free if free.size else np.flatnonzero(left)
        chosen = int(candidates[np.argmin(place[candidates])])
        out.append(chosen)
        left[chosen] = False
        waiting = waiting - before[chosen]
    return out
