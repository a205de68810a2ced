"""Masks of single things: from what a network gives of them to pixels of the page.

Networks describe a mask by a small grid of values (28 × 28 over the box, a quarter of the input, …).
Each is sampled where the pixels of the page have their centres, between four values, and the pixels
above a level are inside. One mask at a time is spread out, then kept as run lengths.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

import cv2
import numpy as np
import numpy.typing as npt

from limner.annotations.masks import mask_to_array
from limner.annotations.shapes import Mask
from limner.models.tasks.letterbox import Size, Transform

Floats = npt.NDArray[np.float32]
Bits = npt.NDArray[np.bool_]

#: OpenCV warps no image with a longer side than 32,767.
_LARGEST_WARP = 16_384


@dataclass(frozen=True, slots=True)
class Grid:
    """Values on a regular grid over a part of the network's input."""

    #: Rows of values.
    values: Floats
    #: Left and top edge of the first cell, pixels of the input.
    left: float
    top: float
    #: Width and height of a cell, pixels of the input.
    step_x: float
    step_y: float
    #: Values at least this high are inside.
    level: float
    #: Whether values outside the grid are those at its edge instead of 0.
    extends: bool


class MaskSource(Protocol):
    """Masks that have not been worked out yet, one for each candidate."""

    def take(self, rows: npt.NDArray[np.intp]) -> Self:
        """Those of some candidates."""

    def grid(self, row: int, box: Floats) -> Grid:
        """The mask of a candidate, whose box is in pixels of the input."""


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Masks as weighted sums of prototypes that are shared by all (YOLO)."""

    #: n × k.
    weights: Floats
    #: k × height × width, over the whole input.
    prototypes: Floats
    #: Width and height of the input.
    canvas: Size

    def take(self, rows: npt.NDArray[np.intp]) -> Prototypes:
        """Those of some candidates."""
        return Prototypes(self.weights[rows], self.prototypes, self.canvas)

    def grid(self, row: int, box: Floats) -> Grid:
        """The sum, reckoned only where the box is."""
        _, height, width = self.prototypes.shape
        step_x, step_y = self.canvas[0] / width, self.canvas[1] / height
        first_x, last_x = _cells(box[0] / step_x, box[2] / step_x, width)
        first_y, last_y = _cells(box[1] / step_y, box[3] / step_y, height)
        part = self.prototypes[:, first_y:last_y, first_x:last_x]
        values = np.tensordot(self.weights[row], part, axes=1)
        return Grid(values, first_x * step_x, first_y * step_y, step_x, step_y, 0.0, extends=True)


@dataclass(frozen=True, slots=True)
class BoxMasks:
    """Masks that fill their boxes (Mask R-CNN)."""

    #: n × height × width.
    values: Floats
    level: float

    def take(self, rows: npt.NDArray[np.intp]) -> BoxMasks:
        """Those of some candidates."""
        return BoxMasks(self.values[rows], self.level)

    def grid(self, row: int, box: Floats) -> Grid:
        """The mask, laid over the box."""
        left, top, right, bottom = map(float, box)
        height, width = self.values.shape[1:]
        step_x, step_y = (right - left) / width, (bottom - top) / height
        return Grid(self.values[row], left, top, step_x, step_y, self.level, extends=False)


@dataclass(frozen=True, slots=True)
class InputMasks:
    """Masks over the whole input."""

    #: n × height × width.
    values: Floats
    level: float
    #: Width and height of the input.
    canvas: Size

    def take(self, rows: npt.NDArray[np.intp]) -> InputMasks:
        """Those of some candidates."""
        return InputMasks(self.values[rows], self.level, self.canvas)

    def grid(self, row: int, box: Floats) -> Grid:
        """The mask; the box cuts it later."""
        del box
        height, width = self.values.shape[1:]
        step_x, step_y = self.canvas[0] / width, self.canvas[1] / height
        return Grid(self.values[row], 0.0, 0.0, step_x, step_y, self.level, extends=True)


def _cells(low: float, high: float, count: int) -> tuple[int, int]:
    """The cells that matter between two positions: one more on each side, at least one in all."""
    first = min(max(int(np.floor(low)) - 1, 0), count - 1)
    return first, min(max(int(np.ceil(high)) + 1, first + 1), count)


def page_mask(grid: Grid, box: npt.NDArray[np.float64], transform: Transform, page: Size) -> Mask | None:
    """The mask of a thing whose box is given in pixels of the page; None where no pixel is inside."""
    left, top = (max(0, int(np.ceil(edge - 0.5))) for edge in box[:2])
    right, bottom = (min(side, int(np.ceil(edge - 0.5))) for edge, side in zip(box[2:], page, strict=True))
    if right <= left or bottom <= top or grid.step_x <= 0 or grid.step_y <= 0:
        return None
    bits = np.empty((bottom - top, right - left), bool)
    for y in range(0, bits.shape[0], _LARGEST_WARP):
        for x in range(0, bits.shape[1], _LARGEST_WARP):
            part = bits[y : y + _LARGEST_WARP, x : x + _LARGEST_WARP]
            np.greater_equal(_sampled(grid, transform, left + x, top + y, part.shape), grid.level, out=part)
    return embedded(bits, left, top, page)


def _sampled(grid: Grid, transform: Transform, left: int, top: int, shape: tuple[int, ...]) -> npt.NDArray[np.floating]:
    """Values at the centres of the pixels of a part of the page."""
    scale_x, scale_y = transform.sx / grid.step_x, transform.sy / grid.step_y
    first_x = ((left + 0.5) * transform.sx + transform.dx - grid.left) / grid.step_x - 0.5
    first_y = ((top + 0.5) * transform.sy + transform.dy - grid.top) / grid.step_y - 0.5
    return np.asarray(
        cv2.warpAffine(
            np.ascontiguousarray(grid.values, np.float32),
            np.array([[scale_x, 0, first_x], [0, scale_y, first_y]]),
            (shape[1], shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE if grid.extends else cv2.BORDER_CONSTANT,
        ),
        np.float32,
    )


def embedded(bits: Bits, left: int, top: int, page: Size) -> Mask | None:
    """A mask of the page from its pixels inside a rectangle; None where there is none.

    The run lengths come from the rectangle alone: the page is never spread out.
    """
    width, height = page
    # An empty row above and below parts the columns, so that no run goes on from one to the next.
    flat = np.pad(bits, ((1, 1), (0, 0))).ravel(order="F").view(np.int8)
    edges = np.flatnonzero(np.diff(flat)) + 1
    column, row = np.divmod(edges, bits.shape[0] + 2)
    places = (left + column) * height + top + row - 1
    if not len(places):
        return None
    # In a rectangle of full height a run that ends at the bottom may go on at the top of the next column.
    joined = np.flatnonzero(places[1:-1:2] == places[2::2])
    places = np.delete(places, np.concatenate([2 * joined + 1, 2 * joined + 2]))
    counts = np.diff(np.concatenate([[0], places, [width * height]])).tolist()
    return Mask(width, height, tuple(counts if counts[-1] else counts[:-1]))


def cut_out(mask: Mask) -> tuple[Bits, int, int]:
    """The pixels inside the bounds of a mask, and where these begin."""
    bounds = mask.bounds
    left, top = int(bounds.x), int(bounds.y)
    return mask_to_array(mask)[top : int(bounds.y2), left : int(bounds.x2)], left, top


def united(masks: Iterable[Mask]) -> Mask | None:
    """All pixels of some masks of one page; None when there are no masks."""
    parts = list(masks)
    if len(parts) < 2:
        return parts[0] if parts else None
    pixels = np.logical_or.reduce([mask_to_array(mask) for mask in parts])
    return embedded(pixels, 0, 0, (parts[0].width, parts[0].height))
