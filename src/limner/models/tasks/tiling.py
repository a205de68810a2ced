"""Large pages in tiles that overlap, and one answer from all of them.

Two tiles agree about a thing when their boxes for it agree in the band that both tiles see. This
holds for a thing that both see whole, for one that one tile sees whole and the other in part, and for
one that is larger than the overlap, of which each tile sees a part: then the box around both parts is
the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from limner.annotations.shapes import Box, Mask
from limner.models.tasks.detect import Detections
from limner.models.tasks.instance_masks import united
from limner.models.tasks.specs import Tiling
from limner.models.tasks.zones import Area

Corners = npt.NDArray[np.float64]

#: Least intersection over union, in the band that both tiles see, of two boxes of one thing.
_AGREE = 0.5
#: A box that ends so near the edge of a tile goes on beyond it; a part of the tile's side.
_CUT = 0.005


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of an area, and the smaller part that no other tile knows better."""

    area: Area
    #: Pixels of the page: cores cover the area without overlap.
    core: Box


def tiles(area: Area, tiling: Tiling | None) -> list[Tile]:
    """The tiles of an area; one that is the area itself where there is nothing to cut."""
    longer = max(area.box.width, area.box.height)
    if tiling is None or longer <= max(tiling.above, tiling.side):
        return [Tile(area, area.box)]
    out = []
    for top, bottom, core_top, core_bottom in _spans(area.box.height, tiling):
        for left, right, core_left, core_right in _spans(area.box.width, tiling):
            part = area.part(Box.from_corners(left, top, right, bottom).translated(area.box.x, area.box.y))
            core = Box.from_corners(core_left, core_top, core_right, core_bottom).translated(area.box.x, area.box.y)
            if part is not None:
                out.append(Tile(part, core))
    return out


def _spans(length: float, tiling: Tiling) -> list[tuple[float, float, float, float]]:
    """Beginning and end along one axis of each tile and of its core."""
    side = min(float(tiling.side), length)
    if side == length:
        return [(0.0, length, 0.0, length)]
    count = math.ceil((length - side) / (side * (1 - tiling.overlap))) + 1
    starts = [round(i * (length - side) / (count - 1)) for i in range(count)]
    # The middle of an overlap parts two cores.
    seams = [0.0, *((before + side + after) / 2 for before, after in pairwise(starts)), length]
    return [(start, start + side, *seams[i : i + 2]) for i, start in enumerate(starts)]  # type: ignore[misc]


def merged(parts: Sequence[tuple[Box, Detections]], limit: int) -> Detections:
    """The detections of several views of one area, each thing once, best first.

    Each part is what was seen of the page, in its pixels, and what was found there.
    """
    if len(parts) == 1:
        return parts[0][1]
    pool = _Pool(parts)
    free = np.ones(len(pool.boxes), bool)
    groups: list[list[int]] = []
    for best in np.argsort(-pool.scores, kind="stable"):
        if free[best] and len(groups) < limit:
            groups.append(pool.group(int(best), free))
    return pool.join(groups)


class _Pool:
    """The detections of all tiles, side by side."""

    def __init__(self, parts: Sequence[tuple[Box, Detections]]) -> None:
        self.boxes: Corners = np.concatenate([found.boxes for _, found in parts])
        self.scores = np.concatenate([found.scores for _, found in parts])
        self.classes = np.concatenate([found.classes for _, found in parts])
        #: For each detection the view that it comes from.
        self.views: Corners = np.repeat([view.corners for view, _ in parts], [len(found) for _, found in parts], axis=0)
        self.masks: list[Mask | None] | None = None
        if any(found.masks is not None for _, found in parts):
            self.masks = [mask for _, found in parts for mask in found.masks or (None,) * len(found)]
        self.cut = self._cut(np.array([view.corners for view, _ in parts]))

    def _cut(self, views: Corners) -> npt.NDArray[np.bool_]:
        """Whether a thing may go on beyond its tile: not at the edges of the area itself."""
        outer = np.concatenate([views[:, :2].min(axis=0), views[:, 2:].max(axis=0)])
        near = _CUT * np.tile(self.views[:, 2:] - self.views[:, :2], 2)
        at_edge = np.abs(self.boxes - self.views) <= near
        cut: npt.NDArray[np.bool_] = (at_edge & (np.abs(self.views - outer) > near)).any(axis=1)
        return cut

    def group(self, best: int, free: npt.NDArray[np.bool_]) -> list[int]:
        """All detections of one thing, the given one first; they are free no longer."""
        members, at = [best], 0
        free[best] = False
        while at < len(members):
            more = np.flatnonzero(free & self._agreeing(members[at]))
            free[more] = False
            members += more.tolist()
            at += 1
        return members

    def _agreeing(self, one: int) -> npt.NDArray[np.bool_]:
        """Which detections of other tiles agree with one where both tiles look."""
        low = np.maximum(self.views[:, :2], self.views[one, :2])
        high = np.minimum(self.views[:, 2:], self.views[one, 2:])
        others = np.clip(self.boxes, np.tile(low, 2), np.tile(high, 2))
        own = np.clip(self.boxes[one], np.tile(low, 2), np.tile(high, 2))
        shared = np.clip(np.minimum(own[:, 2:], others[:, 2:]) - np.maximum(own[:, :2], others[:, :2]), 0, None)
        overlap = shared.prod(axis=1)
        union = (own[:, 2:] - own[:, :2]).prod(axis=1) + (others[:, 2:] - others[:, :2]).prod(axis=1) - overlap
        elsewhere = (self.views != self.views[one]).any(axis=1)
        agreeing: npt.NDArray[np.bool_] = (overlap > _AGREE * union) & (self.classes == self.classes[one]) & elsewhere
        return agreeing & (high > low).all(axis=1)

    def join(self, groups: list[list[int]]) -> Detections:
        """One detection a group: the box around all when the thing was cut, else the best one's."""
        boxes = np.empty((len(groups), 4))
        for row, members in enumerate(groups):
            boxes[row] = self.boxes[members[0]]
            if self.cut[members].any():
                boxes[row, :2] = self.boxes[members, :2].min(axis=0)
                boxes[row, 2:] = self.boxes[members, 2:].max(axis=0)
        firsts = np.array([members[0] for members in groups], np.intp)
        masks = None
        if self.masks is not None:
            masks = tuple(self._mask(members, self.masks) for members in groups)
        return Detections(boxes, self.scores[firsts], self.classes[firsts], masks)

    def _mask(self, members: list[int], masks: list[Mask | None]) -> Mask | None:
        used = members if self.cut[members].any() else members[:1]
        return united(mask for member in used if (mask := masks[member]) is not None)
