"""Shapes on a page: boxes, polygons with holes, and masks.

Coordinates are pixels, x to the right, y down; the pixel in row 0 and column 0 covers the square
from (0, 0) to (1, 1). A shape is frozen and valid from the moment it exists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

from limner.core.errors import ShapeError

#: A position in pixels: (x, y).
Point: TypeAlias = tuple[float, float]
#: A closed line through at least three points; the last point is joined to the first.
Ring: TypeAlias = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle with an area."""

    #: Left edge, pixels.
    x: float
    #: Top edge, pixels.
    y: float
    #: Extent to the right, pixels, above zero.
    width: float
    #: Extent downwards, pixels, above zero.
    height: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.x, self.y, self.width, self.height))):
            raise ShapeError(f"A box has a coordinate that is no finite number: {self}.")
        if self.width <= 0 or self.height <= 0:
            raise ShapeError(f"A box has no area: {self.width:g} × {self.height:g} at {self.x:g}, {self.y:g}.")

    @classmethod
    def from_corners(cls, x1: float, y1: float, x2: float, y2: float) -> Box:
        """The box between two opposite corners, given in any order."""
        return cls(min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1))

    @property
    def x2(self) -> float:
        """Right edge, pixels."""
        return self.x + self.width

    @property
    def y2(self) -> float:
        """Bottom edge, pixels."""
        return self.y + self.height

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge."""
        return (self.x, self.y, self.x2, self.y2)

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    @property
    def bounds(self) -> Box:
        """The box itself."""
        return self

    def scaled(self, sx: float, sy: float) -> Box:
        """The box with every coordinate multiplied."""
        return Box(self.x * sx, self.y * sy, self.width * sx, self.height * sy)

    def translated(self, dx: float, dy: float) -> Box:
        """The box moved."""
        return Box(self.x + dx, self.y + dy, self.width, self.height)

    def intersection(self, other: Box) -> Box | None:
        """The part that both boxes cover, or None where they do not overlap."""
        x1, y1 = max(self.x, other.x), max(self.y, other.y)
        x2, y2 = min(self.x2, other.x2), min(self.y2, other.y2)
        return Box(x1, y1, x2 - x1, y2 - y1) if x2 > x1 and y2 > y1 else None

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        shared = self.intersection(other)
        return shared.area / (self.area + other.area - shared.area) if shared else 0.0


def ring_area(ring: Sequence[Point]) -> float:
    """Signed area by the shoelace formula, square pixels; positive when clockwise on screen."""
    closed = (*ring, ring[0])
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(closed)) / 2


def ring_bounds(points: Iterable[Point]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of some points."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _checked_ring(points: Iterable[Sequence[float]], what: str) -> Ring:
    ring = tuple((float(x), float(y)) for x, y in points)
    while len(ring) > 1 and ring[0] == ring[-1]:
        ring = ring[:-1]
    if len(ring) < 3:
        raise ShapeError(f"{what} needs at least three different points, not {len(ring)}.")
    if not all(math.isfinite(value) for point in ring for value in point):
        raise ShapeError(f"{what} has a coordinate that is no finite number.")
    if _on_one_line(ring):
        raise ShapeError(f"{what} has no area: all its points lie on one line.")
    return ring


def _on_one_line(ring: Ring) -> bool:
    x0, y0 = ring[0]
    x1, y1 = next((point for point in ring if point != ring[0]), ring[0])
    return all((x1 - x0) * (y - y0) == (y1 - y0) * (x - x0) for x, y in ring)


@dataclass(frozen=True)
class Polygon:
    """An area inside one closed line, less its holes.

    A ring that repeats its first point at the end is accepted and stored without the repetition.
    """

    #: The outer line.
    exterior: Ring
    #: Lines around parts that do not belong to the area.
    holes: tuple[Ring, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "exterior", _checked_ring(self.exterior, "A polygon"))
        object.__setattr__(self, "holes", tuple(_checked_ring(hole, "A hole of a polygon") for hole in self.holes))

    @cached_property
    def bounds(self) -> Box:
        """The smallest box around the outer line."""
        return Box.from_corners(*ring_bounds(self.exterior))

    @property
    def area(self) -> float:
        """Area in square pixels, the holes taken off."""
        return abs(ring_area(self.exterior)) - sum(abs(ring_area(hole)) for hole in self.holes)

    @property
    def rings(self) -> tuple[Ring, ...]:
        """The outer line and then the holes."""
        return (self.exterior, *self.holes)

    def scaled(self, sx: float, sy: float) -> Polygon:
        """The polygon with every coordinate multiplied."""
        return self._mapped(lambda x, y: (x * sx, y * sy))

    def translated(self, dx: float, dy: float) -> Polygon:
        """The polygon moved."""
        return self._mapped(lambda x, y: (x + dx, y + dy))

    def _mapped(self, move: Callable[[float, float], Point]) -> Polygon:
        first, *holes = (tuple(move(x, y) for x, y in ring) for ring in self.rings)
        return Polygon(first, tuple(holes))


@dataclass(frozen=True)
class Mask:
    """A set of pixels of an image, as run lengths.

    The encoding is that of COCO: the image read column by column from the top left, the counts
    alternate between pixels outside and pixels inside, beginning with those outside (which may be
    none). `limner.annotations.masks` converts to and from arrays, polygons and COCO's short string.
    """

    #: Width of the whole image, pixels.
    width: int
    #: Height of the whole image, pixels.
    height: int
    #: Run lengths; they add up to width × height.
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", tuple(int(count) for count in self.counts))
        if self.width <= 0 or self.height <= 0:
            raise ShapeError(f"A mask needs the size of its image, not {self.width} × {self.height}.")
        if any(count < 0 for count in self.counts) or sum(self.counts) != self.width * self.height:
            raise ShapeError(
                f"The run lengths of a mask add up to {sum(self.counts)}, not to {self.width} × {self.height} pixels."
            )
        if not any(self.counts[1::2]):
            raise ShapeError("A mask holds no pixel.")

    @property
    def area(self) -> int:
        """Number of pixels inside."""
        return sum(self.counts[1::2])

    @cached_property
    def bounds(self) -> Box:
        """The smallest box around the pixels inside."""
        left, right, top, bottom, at = self.width, 0, self.height, 0, 0
        for outside, inside in zip(self.counts[::2], self.counts[1::2], strict=False):
            start, at = at + outside, at + outside + inside
            if not inside:
                continue
            (first, row), (last, last_row) = divmod(start, self.height), divmod(at - 1, self.height)
            left, right = min(left, first), max(right, last + 1)
            if first == last:
                top, bottom = min(top, row), max(bottom, last_row + 1)
            else:
                top, bottom = 0, self.height
        return Box.from_corners(left, top, right, bottom)


#: Any shape that an annotation can have.
Shape: TypeAlias = Box | Polygon | Mask
