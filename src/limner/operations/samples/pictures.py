"""A picture in the manner of a woodcut: a ship before a coast."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from limner.operations.samples.drawing import BARE, SCALE, Path, Pen, arc, curve, moved, new_mask, smooth
from limner.operations.samples.figures import face, sun
from limner.operations.samples.sheet import Edges, Sheet


def harbour(sheet: Sheet, box: Edges) -> None:
    """The sea with a ship, a town on its hill, a sun with a face, clouds and birds."""
    left, top, right, bottom = box
    block = new_mask(sheet.width, sheet.height)
    pen = Pen(ImageDraw.Draw(block), sheet.rng)
    scene = _Scene(pen, left, top, right - left, bottom - top)
    _sky(scene)
    sun(pen, scene.at(0.13, 0.22), scene.width * 0.052, 14)
    face(pen, scene.at(0.13, 0.22), scene.width * 0.040)
    for x, y, size in ((0.36, 0.17, 1.0), (0.60, 0.11, 0.8), (0.27, 0.33, 0.62)):
        _cloud(scene, x, y, size)
    _mountains(scene)
    _sea(scene)
    _headland(scene)
    _ship(scene, 0.33, 0.70, 1.0)
    _ship(scene, 0.60, 0.575, 0.34)
    for x, y in ((0.47, 0.30), (0.51, 0.33), (0.44, 0.35), (0.55, 0.27)):
        _bird(scene, x, y)
    pen.frame(box, 4.5)
    pen.frame((left + 8, top + 8, right - 8, bottom - 8), 1.2)
    _print_block(sheet, block, box)
    sheet.zone("illustration", box)


def _print_block(sheet: Sheet, block: Image.Image, box: Edges) -> None:
    """Put a picture on the sheet; nothing sticks out of a block of wood."""
    edges = tuple(round(edge * SCALE) for edge in box)
    cut = (edges[0], edges[1], edges[2] + 1, edges[3] + 1)
    sheet.mask("black").paste(block.crop(cut), (edges[0], edges[1]))


#: From places on a ship to pixels.
_Placing: TypeAlias = Callable[..., Path]


class _Scene:
    """A picture whose places are given as parts of its width and height."""

    def __init__(self, pen: Pen, left: float, top: float, width: float, height: float) -> None:
        self.pen = pen
        self.left, self.top, self.width, self.height = left, top, width, height

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place in pixels."""
        return self.left + x * self.width, self.top + y * self.height

    def path(self, *places: tuple[float, float]) -> Path:
        """A curve through places."""
        return smooth([self.at(x, y) for x, y in places])


def _sky(scene: _Scene) -> None:
    """Lines that thin out downwards."""
    rng = scene.pen.rng
    for number in range(26):
        y = 0.02 + 0.0165 * number
        x = 0.0
        while x < 1:
            length = float(rng.uniform(0.12, 0.4))
            drop = float(rng.normal(0, 0.0012))
            if rng.random() > 0.12 + number * 0.03:
                ends = [scene.at(x, y), scene.at(x + length / 2, y + drop), scene.at(min(x + length, 1), y)]
                scene.pen.stroke(ends, (0.3, 1.35 - number * 0.03, 0.3))
            x += length + float(rng.uniform(0.005, 0.03))


def _cloud(scene: _Scene, x: float, y: float, size: float) -> None:
    """Rolls of cloud with shaded undersides."""
    unit = scene.width * 0.032 * size
    rolls = ((-2.3, 0.35, 0.9), (-1.1, -0.35, 1.25), (0.4, -0.75, 1.5), (1.9, -0.2, 1.2), (3.0, 0.4, 0.85))
    cx, cy = scene.at(x, y)
    scene.pen.fill(
        [
            (cx - 3.1 * unit, cy + 1.1 * unit),
            (cx - 2 * unit, cy),
            (cx + 3 * unit, cy),
            (cx + 3.8 * unit, cy + 1.1 * unit),
        ],
        BARE,
    )
    for dx, dy, radius in rolls:
        centre = (cx + dx * unit, cy + dy * unit)
        scene.pen.disc(centre, radius * unit * 1.06, BARE)
    for dx, dy, radius in rolls:
        centre = (cx + dx * unit, cy + dy * unit)
        scene.pen.stroke(arc(centre, radius * unit, 175, 330), (0.5, 2.0, 0.6))
        scene.pen.stroke(arc(centre, radius * unit * 0.72, 185, 290), (0.3, 1.1, 0.3))
        scene.pen.stroke(arc(centre, radius * unit * 0.45, 190, 265), (0.3, 0.9, 0.3))
    for number in range(4):
        half = (3.4 - number * 0.5) * unit
        level = cy + (0.75 + number * 0.17) * unit
        scene.pen.stroke([(cx - half, level), (cx + 0.4 * unit, level + 1), (cx + half, level)], (0.3, 1.2, 0.3))


def _mountains(scene: _Scene) -> None:
    """Far ranges behind the sea."""
    far = scene.path(
        (-0.02, 0.50), (0.06, 0.44), (0.12, 0.47), (0.2, 0.40), (0.27, 0.46), (0.35, 0.43), (0.45, 0.485), (0.56, 0.50)
    )
    land = np.vstack((far, [scene.at(0.56, 0.52), scene.at(-0.02, 0.52)]))
    scene.pen.shape(land, 1.2)
    ridge = [
        scene.at(0.2, 0.40),
        scene.at(0.235, 0.44),
        scene.at(0.27, 0.46),
        scene.at(0.28, 0.515),
        scene.at(0.21, 0.515),
    ]
    for shade in (ridge, [scene.at(0.06, 0.44), scene.at(0.12, 0.47), scene.at(0.13, 0.515), scene.at(0.07, 0.515)]):
        scene.pen.hatch(shade, 68, 4.2, 1.0, unsteady=0.5)
    scene.pen.hatch(land, 68, 11.0, 0.7, unsteady=0.7)


def _sea(scene: _Scene) -> None:
    """Waves that grow towards the beholder."""
    scene.pen.block((*scene.at(0, 0.515), *scene.at(1, 1)), BARE)
    scene.pen.line([scene.at(0, 0.515), scene.at(1, 0.515)], 1.2)
    rng = scene.pen.rng
    level = 0.522
    while level < 1.0:
        depth = (level - 0.515) / 0.485
        length, x = 0.018 + 0.075 * depth, float(rng.uniform(-0.08, 0))
        while x < 1.02:
            own = length * float(rng.uniform(0.75, 1.25))
            if rng.random() > 0.16:
                _wave(scene, x, level, own, depth)
            x += own * 1.02
        level += 0.0065 + 0.020 * depth


def _wave(scene: _Scene, x: float, y: float, length: float, depth: float) -> None:
    rise = length * 0.16 * scene.width / scene.height
    crest = [
        scene.at(x, y),
        scene.at(x + length * 0.3, y - rise),
        scene.at(x + length * 0.7, y - rise * 0.2),
        scene.at(x + length, y),
    ]
    scene.pen.stroke(smooth(crest, 5), (0.3, 0.9 + 1.1 * depth, 0.3))
    if depth > 0.3:
        below = [(px + length * scene.width * 0.04, py + 3.4 * depth + 1) for px, py in crest[1:]]
        scene.pen.stroke(smooth(below, 4), (0.3, 0.5 + 0.7 * depth, 0.3))


def _headland(scene: _Scene) -> None:
    """A rock with a walled town on the right."""
    shore = scene.path(
        (0.66, 0.585), (0.70, 0.55), (0.75, 0.535), (0.80, 0.47), (0.87, 0.455), (0.94, 0.44), (1.03, 0.45)
    )
    foot = scene.path(
        (1.03, 0.86), (0.94, 0.81), (0.88, 0.74), (0.80, 0.70), (0.74, 0.645), (0.69, 0.625), (0.66, 0.585)
    )
    rock = np.vstack((shore, foot))
    scene.pen.shape(rock, 2.0)
    _cliff(scene, shore, foot[::-1])
    _town(scene)
    for x, y in ((0.735, 0.535), (0.765, 0.52), (0.705, 0.552)):
        _tree(scene, x, y, 0.9)


def _cliff(scene: _Scene, upper: Path, lower: Path) -> None:
    """Strokes that run down the face of a rock, dense where it is in the shade."""
    rng = scene.pen.rng
    for x in np.arange(upper[0, 0] + 6, scene.left + scene.width, 3.4):
        top, bottom = (float(np.interp(x, edge[:, 0], edge[:, 1])) for edge in (upper, lower))
        dark = 0.5 + 0.5 * math.sin(x / 17) + float(rng.normal(0, 0.25))
        start = top + (bottom - top) * max(0.02, 0.25 - 0.25 * dark)
        end = start + (bottom - start) * min(0.95, max(0.1, 0.55 * dark + float(rng.uniform(0, 0.35))))
        lean = float(rng.normal(3, 1.5))
        middle = (x + lean * 0.2, (start + end) / 2)
        scene.pen.stroke([(x, start), middle, (x + lean, end)], (0.4, 0.8 + 0.8 * max(0.0, dark), 0.3))
    for share in (0.35, 0.62, 0.85):
        ledge = (
            upper * (1 - share)
            + np.column_stack((upper[:, 0], np.interp(upper[:, 0], lower[:, 0], lower[:, 1]))) * share
        )
        scene.pen.stroke(ledge[6:] + rng.normal(0, 1.2, ledge[6:].shape), (0.3, 1.4, 0.6))


def _town(scene: _Scene) -> None:
    """Walls, houses, a keep and a church."""
    for x, y, width, height in ((0.80, 0.475, 0.045, 0.05), (0.925, 0.45, 0.05, 0.055), (0.845, 0.462, 0.04, 0.035)):
        _house(scene, x, y, width, height)
    _tower(scene, 0.875, 0.462, 0.042, 0.20)
    _tower(scene, 0.965, 0.452, 0.038, 0.13)
    _spire(scene, 0.832, 0.466)
    left, right, top, bottom = 0.795, 1.02, 0.452, 0.492
    wall = [
        scene.at(left, top + 0.02),
        scene.at(right, top - 0.005),
        scene.at(right, bottom),
        scene.at(left, bottom + 0.012),
    ]
    scene.pen.shape(wall, 1.5)
    for row in range(1, 4):
        y = top + 0.0125 * row
        scene.pen.line([scene.at(left, y + 0.016), scene.at(right, y - 0.004)], 0.7)
    for number in range(11):
        x, y = scene.at(left + number * 0.021, top + 0.0195 - number * 0.0023)
        scene.pen.shape([(x, y), (x, y - 7), (x + 8, y - 7), (x + 8, y)], 1.1)
    gate = scene.at(0.905, bottom)
    scene.pen.fill(
        np.vstack((arc((gate[0], gate[1] - 11), 7, 180, 360), [(gate[0] + 7, gate[1] + 2), (gate[0] - 7, gate[1] + 2)]))
    )


def _tower(scene: _Scene, x: float, y: float, width: float, height: float) -> None:
    """A round tower with battlements, dark on its right side, and a flag."""
    (x1, y1), (x2, y2) = scene.at(x, y - height), scene.at(x + width, y + 0.02)
    pen, span = scene.pen, x2 - x1
    pen.shape([(x1, y2), (x1, y1), (x2, y1), (x2, y2)], 1.6)
    pen.hatch([(x1 + span * 0.52, y2), (x1 + span * 0.52, y1), (x2, y1), (x2, y2)], 0, 3.4, 1.2)
    pen.shape([(x1 - 3, y1), (x1 - 3, y1 - 8), (x2 + 3, y1 - 8), (x2 + 3, y1)], 1.4)
    for number in range(4):
        left = x1 - 3 + number * (span + 6 - 6) / 3
        pen.shape([(left, y1 - 8), (left, y1 - 15), (left + 6, y1 - 15), (left + 6, y1 - 8)], 1.2)
    for level in (0.28, 0.6):
        pen.block((x1 + span * 0.28, y1 + (y2 - y1) * level, x1 + span * 0.28 + 5, y1 + (y2 - y1) * level + 12))
    middle = (x1 + x2) / 2
    pen.line([(middle, y1 - 15), (middle, y1 - 46)], 1.4)
    pen.shape(
        smooth(
            [
                (middle, y1 - 46),
                (middle + 14, y1 - 49),
                (middle + 30, y1 - 43),
                (middle + 16, y1 - 37),
                (middle, y1 - 35),
            ],
            5,
        ),
        1.1,
    )


def _house(scene: _Scene, x: float, y: float, width: float, height: float) -> None:
    (x1, y1), (x2, y2) = scene.at(x, y - height), scene.at(x + width, y + 0.015)
    pen = scene.pen
    pen.shape([(x1, y2), (x1, y1), (x2, y1), (x2, y2)], 1.2)
    ridge = y1 - (x2 - x1) * 0.42
    roof = [(x1 - 3, y1), ((x1 + x2) / 2, ridge), (x2 + 3, y1)]
    pen.shape(roof, 1.4)
    pen.hatch(roof, 62, 3.2, 1.2)
    pen.block((x1 + 6, y1 + 7, x1 + 11, y1 + 15))
    pen.block((x2 - 12, y1 + 7, x2 - 7, y1 + 15))


def _spire(scene: _Scene, x: float, y: float) -> None:
    """A church tower with a pointed roof and a cross."""
    cx, foot = scene.at(x, y)
    pen, half, height = scene.pen, scene.width * 0.011, scene.height * 0.11
    pen.shape(
        [(cx - half, foot + 8), (cx - half, foot - height), (cx + half, foot - height), (cx + half, foot + 8)], 1.3
    )
    roof = [(cx - half - 2, foot - height), (cx, foot - height * 2.1), (cx + half + 2, foot - height)]
    pen.shape(roof, 1.3)
    pen.hatch(roof, 78, 2.6, 1.0)
    top = foot - height * 2.1
    pen.line([(cx, top), (cx, top - 14)], 1.3)
    pen.line([(cx - 4, top - 9), (cx + 4, top - 9)], 1.3)
    pen.block((cx - 2.5, foot - height * 0.8, cx + 2.5, foot - height * 0.55))


def _tree(scene: _Scene, x: float, y: float, size: float) -> None:
    cx, foot = scene.at(x, y)
    unit = scene.width * 0.011 * size
    scene.pen.line([(cx, foot), (cx, foot - 2.4 * unit)], 2.4)
    for dx, dy, radius in ((-0.9, -2.8, 1.0), (0.9, -2.8, 1.0), (0, -3.9, 1.15), (0, -2.9, 1.0)):
        centre = (cx + dx * unit, foot + dy * unit)
        scene.pen.disc(centre, radius * unit, BARE)
        for number in range(4):
            scene.pen.stroke(arc(centre, radius * unit * (1 - number * 0.24), -60, 130), (0.3, 1.5, 0.3))
        scene.pen.line(arc(centre, radius * unit, 150, 300), 1.0)


def _bird(scene: _Scene, x: float, y: float) -> None:
    cx, cy = scene.at(x, y)
    for sign in (-1, 1):
        scene.pen.stroke(curve((cx, cy), (cx + sign * 5, cy - 9), (cx + sign * 14, cy - 5), count=8), (1.0, 1.7, 0.3))


def _ship(scene: _Scene, x: float, y: float, size: float) -> None:
    """A carrack under sail, seen from the side."""
    unit = scene.width * 0.042 * size
    origin = scene.at(x, y)

    def place(*points: tuple[float, float]) -> Path:
        return moved(points, origin, 0.0, unit)

    pen, line = scene.pen, max(0.8, 1.7 * size)
    _rigging(pen, place, line)
    deck = ((-3.9, -1.75), (-2.5, -1.6), (-2.3, -0.85), (1.8, -0.85), (2.1, -1.5), (3.7, -1.75))
    keel = smooth(place((3.7, -1.75), (3.1, -0.4), (2.4, 0.45), (0, 0.8), (-2.6, 0.5), (-3.5, -0.6), (-3.9, -1.75)), 8)
    hull = np.vstack((place(*deck), keel))
    pen.shape(hull, line * 1.15)
    for number in range(5):
        level = -0.55 + number * 0.26
        half = 3.35 - number * 0.28
        pen.stroke(
            smooth(place((-half, level - 0.18), (0, level + 0.1), (half - 0.1, level - 0.18)), 8),
            (0.5 * line, line * 0.8, 0.5 * line),
        )
    pen.hatch(
        np.vstack((place((0.6, -0.2), (2.9, -0.4)), keel[: len(keel) // 2])), 12, 3.2 * max(size, 0.6), 1.1 * size
    )
    for number in range(5):
        pen.disc(tuple(place((-1.7 + number * 0.85, -0.55))[0]), 0.13 * unit)
    for number in range(3):
        foam = place(
            (-4.0 - number * 0.2, 0.5 + number * 0.22),
            (0, 0.95 + number * 0.2),
            (3.4 + number * 0.3, 0.45 + number * 0.22),
        )
        pen.stroke(smooth(foam, 10), (0.3, 1.5 * size + 0.4, 0.3))


def _rigging(pen: Pen, place: _Placing, line: float) -> None:
    """Masts, shrouds, sails and flags."""
    for x, foot, head in ((0.0, -0.8, -7.2), (-2.6, -1.6, -5.4), (2.6, -1.5, -5.2)):
        pen.stroke(place((x, foot), (x, head)), (line * 1.6, line))
        for end in (-1.3, 1.3):
            pen.line(place((x, head + 0.9), (x + end, foot)), 0.7)
        pen.shape(
            smooth(
                place(
                    (x, head), (x + 0.6, head - 0.2), (x + 1.5, head + 0.05), (x + 0.7, head + 0.3), (x, head + 0.35)
                ),
                5,
            ),
            line * 0.6,
        )
    pen.stroke(place((3.5, -1.6), (5.6, -3.0)), (line * 1.3, line * 0.7))
    for sail in (
        ((-1.8, -6.2), (1.6, -6.2), (2.35, -4.6), (1.9, -2.2), (-2.0, -2.2), (-1.25, -4.2)),
        ((-3.6, -4.8), (-1.7, -4.8), (-1.2, -3.6), (-1.5, -2.5), (-3.8, -2.5), (-3.3, -3.6)),
        ((1.75, -4.6), (3.5, -4.6), (4.0, -3.5), (3.7, -2.4), (1.9, -2.4), (2.35, -3.4)),
    ):
        _sail(pen, place, sail, line)


def _sail(pen: Pen, place: _Placing, corners: tuple[tuple[float, float], ...], line: float) -> None:
    """A square sail full of wind, with the yard it hangs from."""
    upper_left, upper_right, belly, lower_right, lower_left, hollow = corners
    right = smooth(place(upper_right, belly, lower_right), 8)
    foot = smooth(place(lower_right, ((lower_right[0] + lower_left[0]) / 2, lower_left[1] - 0.35), lower_left), 8)
    left = smooth(place(lower_left, hollow, upper_left), 8)
    pen.shape(np.vstack((right, foot, left)), line)
    count = len(right)
    for share in (0.08, 0.16, 0.24, 0.32, 0.42):
        inner = right * (1 - share) + left[::-1][:count] * share
        pen.stroke(inner[2:-2], (0.3, line * (1.1 - share * 1.6), 0.3))
    pen.stroke(
        place((upper_left[0] - 0.25, upper_left[1]), (upper_right[0] + 0.25, upper_right[1])), (line, line * 1.5, line)
    )
