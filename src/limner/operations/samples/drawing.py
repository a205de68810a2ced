"""A pen for line art: curves, strokes that swell, hatching, leaves.

Positions are in pixels of the page; the pen draws on a larger mask, so that its edges come out smooth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

#: n × 2: x and y, pixels of the page.
Path = npt.NDArray[np.float64]
#: Anything that can become a path.
Points = Path | Sequence[tuple[float, float]] | Sequence[Path]

#: Pixels of a mask for one of the page.
SCALE = 3
INK = 255
BARE = 0


def path(points: Points) -> Path:
    """Points as an array."""
    return np.asarray(points, np.float64).reshape(-1, 2)


def arc(centre: tuple[float, float], radius: float, start: float, end: float, flat: float = 1.0) -> Path:
    """Part of a circle, or an ellipse ``flat`` times as high as wide; degrees, clockwise from the right."""
    count = max(8, int(abs(end - start) / 360 * max(radius, 6) * 2))
    angles = np.radians(np.linspace(start, end, count))
    return np.column_stack((centre[0] + radius * np.cos(angles), centre[1] + radius * flat * np.sin(angles)))


def curve(*control: tuple[float, float], count: int = 24) -> Path:
    """The Bézier curve of some control points."""
    t = np.linspace(0, 1, count)[:, None]
    last = len(control) - 1
    weights = [math.comb(last, k) * t**k * (1 - t) ** (last - k) for k in range(last + 1)]
    return np.asarray(sum(weight * np.array(point) for weight, point in zip(weights, control, strict=True)), np.float64)


def smooth(points: Points, count: int = 10) -> Path:
    """A curve through points (Catmull and Rom)."""
    through = path(points)
    padded = np.vstack((2 * through[0] - through[1], through, 2 * through[-1] - through[-2]))
    t = np.linspace(0, 1, count, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        parts.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.vstack((*parts, through[-1:]))


def spiral(centre: tuple[float, float], outer: float, inner: float, start: float, turns: float) -> Path:
    """From a point on the outer circle inwards; ``turns`` below 0 go anticlockwise."""
    t = np.linspace(0, 1, max(24, int(abs(turns) * 40)))
    radius = outer + (inner - outer) * t**0.8
    angle = np.radians(start) + 2 * math.pi * turns * t
    return np.column_stack((centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)))


def moved(points: Points, by: tuple[float, float], angle: float = 0.0, size: float = 1.0) -> Path:
    """Points around the origin scaled, turned (degrees, clockwise) and moved."""
    turn = math.radians(angle)
    matrix = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    return np.asarray(path(points) * size @ matrix + np.array(by), np.float64)


def shifted(points: Points, across: float, down: float) -> Path:
    """Points moved to the right and down."""
    return np.add(path(points), (across, down))


def mirrored(points: Points, axis: float) -> Path:
    """Points on the other side of an upright line."""
    return np.asarray(path(points) * (-1, 1) + (2 * axis, 0), np.float64)


def leaf_outline(length: float, width: float, bend: float = 0.0) -> Path:
    """A pointed leaf from the origin to the right, its tip moved sideways by ``bend``."""
    tip = (length, bend)
    upper = curve((0, 0), (length * 0.3, -width * 0.75), (length * 0.75, bend - width * 0.45), tip)
    lower = curve(tip, (length * 0.75, bend + width * 0.45), (length * 0.3, width * 0.75), (0, 0))
    return np.vstack((upper, lower[1:]))


@dataclass
class Pen:
    """Draws on a mask of ink."""

    draw: ImageDraw.ImageDraw
    #: For the unsteadiness of a cutter's hand.
    rng: np.random.Generator

    def line(self, points: Points, width: float = 1.2, ink: int = INK) -> None:
        """A line of one width."""
        dots = [(x * SCALE, y * SCALE) for x, y in path(points).tolist()]
        self.draw.line(dots, fill=ink, width=max(1, round(width * SCALE)), joint="curve")

    def stroke(self, points: Points, widths: Sequence[float], ink: int = INK) -> None:
        """A line that swells: its width goes through ``widths`` at equal distances."""
        dots = path(points)
        radii = np.interp(np.linspace(0, 1, len(dots)), np.linspace(0, 1, len(widths)), widths) / 2
        along = np.diff(dots, axis=0)
        lengths = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
        sides = np.column_stack((-along[:, 1], along[:, 0])) / lengths[:, None]
        start, end = sides * radii[:-1, None], sides * radii[1:, None]
        quads = np.stack((dots[:-1] + start, dots[1:] + end, dots[1:] - end, dots[:-1] - start), axis=1) * SCALE
        for quad in quads.reshape(-1, 8).tolist():
            self.draw.polygon(quad, fill=ink)
        for (x, y), radius in zip(dots[1:].tolist(), radii[1:].tolist(), strict=True):
            if radius > 0.4:
                self.disc((x, y), radius, ink)

    def fill(self, outline: Points, ink: int = INK) -> None:
        """A filled area."""
        self.draw.polygon([(x * SCALE, y * SCALE) for x, y in path(outline).tolist()], fill=ink)

    def shape(self, outline: Points, width: float = 1.2, inside: int = BARE) -> None:
        """An area with an outline; what lies behind it is covered."""
        self.fill(outline, inside)
        self.shape_outline(outline, width)

    def shape_outline(self, outline: Points, width: float = 1.2) -> None:
        """The outline of an area, closed."""
        closed = path(outline)
        self.line(np.vstack((closed, closed[:2])), width)

    def disc(self, centre: tuple[float, float], radius: float, ink: int = INK) -> None:
        """A filled circle."""
        x, y = centre
        box = ((x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE)
        self.draw.ellipse(box, fill=ink)

    def ring(self, centre: tuple[float, float], radius: float, width: float = 1.2, ink: int = INK) -> None:
        """A circle."""
        self.line(arc(centre, radius, 0, 361), width, ink)

    def frame(self, box: tuple[float, float, float, float], width: float = 1.2, ink: int = INK) -> None:
        """A rectangle, given as left, top, right and bottom."""
        left, top, right, bottom = (round(edge * SCALE) for edge in box)
        self.draw.rectangle((left, top, right, bottom), outline=ink, width=max(1, round(width * SCALE)))

    def block(self, box: tuple[float, float, float, float], ink: int = INK) -> None:
        """A filled rectangle."""
        self.draw.rectangle([round(edge * SCALE) for edge in box], fill=ink)

    def hatch(
        self, outline: Points, angle: float, gap: float, width: float = 0.9, ink: int = INK, unsteady: float = 0.0
    ) -> None:
        """Parallel lines inside an area, at an angle in degrees; they thin out towards their ends."""
        for start, end in hatching(path(outline), angle, gap):
            points = np.linspace(start, end, 5)
            points[[0, -1]] += self.rng.normal(0, unsteady, (2, 2))
            points[1:-1] += self.rng.normal(0, unsteady * 0.4, (3, 2))
            self.stroke(points, (width * 0.4, width, width, width * 0.4), ink)

    def leaf(self, base: tuple[float, float], angle: float, length: float, width: float, ink: int = INK) -> None:
        """A filled leaf."""
        self.fill(moved(leaf_outline(length, width, width * 0.2), base, angle), ink)


def hatching(outline: Path, angle: float, gap: float) -> Iterator[tuple[Path, Path]]:
    """The ends of parallel lines inside an area (even-odd rule)."""
    turn = math.radians(angle)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    level = outline @ matrix
    following = np.roll(level, -1, axis=0)
    top, bottom = float(level[:, 1].min()), float(level[:, 1].max())
    for y in np.arange(math.ceil(top / gap) * gap, bottom, gap):
        crossed = (level[:, 1] <= y) != (following[:, 1] <= y)
        one, other = level[crossed], following[crossed]
        xs = np.sort(one[:, 0] + (y - one[:, 1]) / (other[:, 1] - one[:, 1]) * (other[:, 0] - one[:, 0]))
        for left, right in zip(xs[::2], xs[1::2], strict=False):
            yield np.array((left, y)) @ matrix.T, np.array((right, y)) @ matrix.T


def new_mask(width: int, height: int) -> Image.Image:
    """A mask for a page of some size, without ink."""
    return Image.new("L", (width * SCALE, height * SCALE), BARE)
