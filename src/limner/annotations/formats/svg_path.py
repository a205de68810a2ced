"""The path language of SVG 1.1, read into closed lines."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from limner.annotations.shapes import Point
from limner.core.errors import FormatError

_COMMAND = re.compile(r"[MmLlHhVvCcSsQqTtAaZz]")
_SPACE = re.compile(r"[\s,]*")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
#: Numbers that each command takes.
_COUNTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
_ARC_FLAGS = (3, 4)
#: Points of a curve, however short or long.
_FEWEST_STEPS, _MOST_STEPS = 10, 2000


def path_rings(path: str) -> list[tuple[Point, ...]]:
    """The closed lines of a path, curves flattened; open ones are closed. Raises `FormatError`."""
    pen = _Pen()
    for command, values in _commands(path):
        pen.draw(command, values)
    return pen.finish()


def _commands(path: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with its numbers; repeated ones one by one."""
    at, command = _skip(path, 0), ""
    while at < len(path):
        match = _COMMAND.match(path, at)
        if match:
            command, at = match[0], _skip(path, match.end())
        elif not command or command in "Zz":
            raise FormatError(f"its path cannot be read at {path[at : at + 20]!r}.")
        values = []
        for position in range(_COUNTS[command.upper()]):
            value, at = _number(path, at, flag=command in "Aa" and position in _ARC_FLAGS)
            values.append(value)
        yield command, values
        command = {"M": "L", "m": "l"}.get(command, command)


def _number(path: str, at: int, *, flag: bool) -> tuple[float, int]:
    # The flags of an arc are one digit each and may stand without a space behind them.
    match = re.compile("[01]").match(path, at) if flag else _NUMBER.match(path, at)
    if not match:
        raise FormatError(f"its path lacks a number at {path[at : at + 20]!r}.")
    return float(match[0]), _skip(path, match.end())


def _skip(path: str, at: int) -> int:
    match = _SPACE.match(path, at)
    return match.end() if match else at


@dataclass
class _Pen:
    """Follows a path and gathers its points."""

    rings: list[tuple[Point, ...]] = field(default_factory=list)
    line: list[Point] = field(default_factory=list)
    at: Point = (0.0, 0.0)
    #: The last control point, for the smooth curves, and the command that it belongs to.
    control: Point = (0.0, 0.0)
    last: str = ""

    def draw(self, command: str, values: list[float]) -> None:
        """Follow one command."""
        name = command.upper()
        dx, dy = self.at if command.islower() else (0.0, 0.0)
        if name == "Z":
            self._close()
        elif name == "H":
            self._to((values[0] + dx, self.at[1]))
        elif name == "V":
            self._to((self.at[0], values[0] + dy))
        elif name == "A":
            self._arc(values[:5], (values[5] + dx, values[6] + dy))
        else:
            ends = [(x + dx, y + dy) for x, y in zip(values[::2], values[1::2], strict=True)]
            self._towards(name, ends)
        self.last = name

    def finish(self) -> list[tuple[Point, ...]]:
        """All lines."""
        self._close()
        return self.rings

    def _towards(self, name: str, ends: list[Point]) -> None:
        if name == "M":
            self._close()
            self.at = ends[0]
        elif name == "L":
            self._to(ends[0])
        elif name in "CS":
            first = ends[0] if name == "C" else self._mirrored("CS")
            self._curve([self.at, first, *ends[-2:]])
        else:
            first = ends[0] if name == "Q" else self._mirrored("QT")
            self._curve([self.at, first, ends[-1]])

    def _mirrored(self, family: str) -> Point:
        if self.last not in tuple(family):
            return self.at
        return (2 * self.at[0] - self.control[0], 2 * self.at[1] - self.control[1])

    def _to(self, point: Point) -> None:
        if not self.line:
            self.line.append(self.at)
        self.line.append(point)
        self.at = point

    def _close(self) -> None:
        if self.line:
            self.at = self.line[0]
            self.rings.append(tuple(self.line))
            self.line = []

    def _curve(self, controls: list[Point]) -> None:
        """A Bézier curve of any degree, by de Casteljau's construction."""
        length = sum(math.dist(a, b) for a, b in pairwise(controls))
        steps = min(_MOST_STEPS, max(_FEWEST_STEPS, math.ceil(math.sqrt(length))))
        for step in range(1, steps + 1):
            self._to(_casteljau(controls, step / steps))
        self.control = controls[-2]

    def _arc(self, form: list[float], end: Point) -> None:
        for point in _arc_points(self.at, form, end):
            self._to(point)


def _casteljau(controls: list[Point], t: float) -> Point:
    while len(controls) > 1:
        controls = [(a + (c - a) * t, b + (d - b) * t) for (a, b), (c, d) in pairwise(controls)]
    return controls[0]


def _arc_points(start: Point, form: list[float], end: Point) -> Iterator[Point]:
    """Points of an elliptic arc, its end included (SVG 1.1, appendix F.6.5 and F.6.6)."""
    rx, ry, degrees, large, sweep = form
    rx, ry = abs(rx), abs(ry)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half_x, half_y = (start[0] - end[0]) / 2, (start[1] - end[1]) / 2
    x, y = cos * half_x + sin * half_y, cos * half_y - sin * half_x
    if rx == 0 or ry == 0 or start == end:
        yield end
        return
    stretch = math.sqrt(max(1.0, (x / rx) ** 2 + (y / ry) ** 2))
    rx, ry = rx * stretch, ry * stretch
    along = (rx * y) ** 2 + (ry * x) ** 2
    factor = math.sqrt(max(0.0, ((rx * ry) ** 2 - along) / along)) * (-1 if large == sweep else 1)
    cx, cy = factor * rx * y / ry, -factor * ry * x / rx
    first = math.atan2((y - cy) / ry, (x - cx) / rx)
    turn = math.atan2((-y - cy) / ry, (-x - cx) / rx) - first
    if sweep and turn < 0:
        turn += 2 * math.pi
    elif not sweep and turn > 0:
        turn -= 2 * math.pi
    steps = min(_MOST_STEPS, max(_FEWEST_STEPS, math.ceil(abs(turn) * math.sqrt(max(rx, ry)))))
    middle_x, middle_y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    for step in range(1, steps):
        px = rx * math.cos(first + turn * step / steps) + cx
        py = ry * math.sin(first + turn * step / steps) + cy
        yield (cos * px - sin * py + middle_x, sin * px + cos * py + middle_y)
    yield end
