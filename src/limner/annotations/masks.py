"""Masks, arrays and polygons, without loss between them.

A polygon made from a mask follows the edges of its pixels, and a pixel belongs to a polygon when its
centre does (even-odd rule): going from mask to polygons and back gives the same mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from limner.annotations.shapes import Box, Mask, Polygon, Ring, Shape
from limner.core.errors import ShapeError

Bits = npt.NDArray[np.bool_]


def mask_from_array(inside: npt.NDArray[np.generic]) -> Mask:
    """The mask of the non-zero elements of a height × width array."""
    if inside.ndim != 2:
        raise ShapeError(f"A mask is made from a height × width array, not from one of shape {inside.shape}.")
    flat = np.asarray(inside, dtype=bool).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate(([0], changes, [flat.size])))
    height, width = inside.shape
    runs = (0, *counts.tolist()) if flat.size and flat[0] else tuple(counts.tolist())
    return Mask(width, height, runs)


def mask_to_array(mask: Mask) -> Bits:
    """The mask as a height × width array of booleans."""
    values = np.arange(len(mask.counts)) % 2 == 1
    return np.repeat(values, mask.counts).reshape((mask.height, mask.width), order="F")


def mask_to_string(mask: Mask) -> str:
    """COCO's short form: differences to the run before last, five bits a character.

    See ``rleToString`` in cocoapi's ``maskApi.c`` for the format.
    """
    out: list[str] = []
    for i, count in enumerate(mask.counts):
        value = count - mask.counts[i - 2] if i > 2 else count
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            out.append(chr((bits | 0x20 if more else bits) + 48))
    return "".join(out)


def mask_from_string(text: str, width: int, height: int) -> Mask:
    """The mask behind COCO's short form; raises `ShapeError` where that is damaged."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ShapeError(f"Run lengths in COCO's short form cannot hold the character {character!r}.")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ShapeError("Run lengths in COCO's short form end in the middle of a number.")
    return Mask(width, height, tuple(counts))


def mask_to_polygons(mask: Mask) -> tuple[Polygon, ...]:
    """The outlines of the parts of a mask (joined by edges, not by corners), holes included."""
    bounds = mask.bounds
    left, top = int(bounds.x), int(bounds.y)
    bits = mask_to_array(mask)[top : int(bounds.y2), left : int(bounds.x2)]
    return tuple(polygon.translated(left, top) for polygon in array_to_polygons(bits))


def array_to_polygons(inside: Bits) -> tuple[Polygon, ...]:
    """The outlines of the true elements of a height × width array, in its own coordinates."""
    padded = np.pad(inside.astype(np.uint8), 1)
    _, parts = cv2.connectedComponents(padded, connectivity=4)
    exteriors: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {}
    for ring in _outlines(padded):
        y, x = min((y, x) for x, y in ring)
        # Right and below of its first corner lies the inside of an outer line and the outside of a hole.
        if padded[y + 1, x + 1]:
            exteriors[int(parts[y + 1, x + 1])] = ring
        else:
            holes.setdefault(int(parts[y, x + 1]), []).append(ring)
    return tuple(Polygon(ring, tuple(holes.get(part, ()))) for part, ring in sorted(exteriors.items()))


def _outlines(padded: npt.NDArray[np.uint8]) -> list[tuple[tuple[int, int], ...]]:
    """The closed lines between zeros and ones, as their corners, in coordinates without the padding.

    Corners on one row of the pixel lattice, taken two by two, are the ends of its horizontal edges;
    those on one column are the ends of the vertical ones. Where four pixels meet like a chessboard,
    the point is two corners, ordered such that diagonal ones are parted.
    """
    nw, ne, sw, se = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    ys, xs = np.nonzero((nw + ne + sw + se) % 2 == 1)
    falling = np.nonzero((nw == se) & (ne == sw) & (nw > ne))
    rising = np.nonzero((nw == se) & (ne == sw) & (ne > nw))
    y = np.concatenate([ys, falling[0], falling[0], rising[0], rising[0]])
    x = np.concatenate([xs, falling[1], falling[1], rising[1], rising[1]])
    f, r, plain = len(falling[0]), len(rising[0]), len(ys)
    along = np.repeat([0, 0, 1, 0, 1], [plain, f, f, r, r])
    down = np.repeat([0, 0, 1, 1, 0], [plain, f, f, r, r])
    across_mate = _mates(np.lexsort((along, x, y)))
    down_mate = _mates(np.lexsort((down, y, x)))
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    seen = [False] * len(points)
    rings = []
    for start in range(len(points)):
        ring, at = [], start
        while not seen[at]:
            beside = across_mate[at]
            seen[at] = seen[beside] = True
            ring += [points[at], points[beside]]
            at = down_mate[beside]
        if ring:
            rings.append(tuple(ring))
    return rings


def _mates(order: npt.NDArray[np.intp]) -> list[int]:
    """For each element the one it is paired with when the order is taken two by two."""
    mates = np.empty_like(order)
    mates[order[::2]], mates[order[1::2]] = order[1::2], order[::2]
    out: list[int] = mates.tolist()
    return out


def polygons_to_array(polygons: Iterable[Polygon], width: int, height: int) -> Bits:
    """Which pixels have their centre in one of the polygons, height × width."""
    out = np.zeros((height, width), dtype=bool)
    for polygon in polygons:
        out |= _rings_to_array(polygon.rings, width, height)
    return out


def _rings_to_array(rings: Sequence[Ring], width: int, height: int) -> Bits:
    """Even-odd filling: toggle where an edge crosses the middle line of a row, then sum along it."""
    toggles = np.zeros((height, width + 1), dtype=np.int32)
    for ring in rings:
        points = np.asarray(ring, dtype=float)
        for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if y1 == y2:
                continue
            low, high = sorted((y1, y2))
            rows = np.arange(max(0, int(np.ceil(low - 0.5))), min(height, int(np.ceil(high - 0.5))))
            crossings = x1 + (rows + 0.5 - y1) * (x2 - x1) / (y2 - y1)
            columns = np.clip(np.ceil(crossings - 0.5), 0, width).astype(int)
            np.add.at(toggles, (rows, columns), 1)
    filled: Bits = np.cumsum(toggles, axis=1)[:, :width] % 2 == 1
    return filled


def shape_to_polygons(shape: Shape) -> tuple[Polygon, ...]:
    """Any shape as polygons."""
    match shape:
        case Polygon():
            return (shape,)
        case Mask():
            return mask_to_polygons(shape)
        case Box():
            x1, y1, x2, y2 = shape.corners
            return (Polygon(((x1, y1), (x2, y1), (x2, y2), (x1, y2))),)


def shape_to_array(shape: Shape, width: int, height: int) -> Bits:
    """Which pixels of an image belong to a shape, height × width."""
    if not isinstance(shape, Mask):
        return polygons_to_array(shape_to_polygons(shape), width, height)
    if (shape.width, shape.height) != (width, height):
        raise ShapeError(
            f"The mask was made for an image of {shape.width} × {shape.height}, not for one of {width} × {height}."
        )
    return mask_to_array(shape)


def simplified(polygon: Polygon, tolerance: float) -> Polygon:
    """The polygon with fewer points, none of its lines moved by more than ``tolerance`` pixels.

    Douglas and Peucker's method; a ring that would lose its area is kept as it is.
    """
    rings = [_simplified_ring(ring, tolerance) for ring in polygon.rings]
    return Polygon(rings[0], tuple(rings[1:]))


def _simplified_ring(ring: Ring, tolerance: float) -> Ring:
    points = np.asarray(ring, dtype=np.float32).reshape(-1, 1, 2)
    fewer = cv2.approxPolyDP(points, tolerance, closed=True).reshape(-1, 2)
    simple = tuple((float(x), float(y)) for x, y in fewer)
    try:
        Polygon(simple)
    except ShapeError:
        return ring
    return simple
