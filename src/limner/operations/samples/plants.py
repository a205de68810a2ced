"""Plants as in a herbal: line art with some colour laid over it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from limner.operations.samples.drawing import BARE, Path, arc, curve, leaf_outline, moved, path, shifted, smooth
from limner.operations.samples.sheet import Edges, Sheet

At = tuple[float, float]


def _point(points: Path, share: float) -> tuple[At, float]:
    """A place on a path, and the direction of the path there in degrees."""
    index = min(int(share * (len(points) - 1)), len(points) - 2)
    along = points[index + 1] - points[index]
    return (float(points[index][0]), float(points[index][1])), math.degrees(math.atan2(along[1], along[0]))


def leaf(sheet: Sheet, base: At, angle: float, length: float, width: float, wash: str = "green wash") -> None:
    """A toothed leaf with its veins, one half in shadow."""
    pen, brush = sheet.pen(), sheet.pen(wash)
    outline = leaf_outline(length, width, width * 0.18)
    teeth = outline + np.column_stack(
        (np.zeros(len(outline)), np.where(np.arange(len(outline)) % 2, 0.05, -0.02) * width * np.sign(outline[:, 1]))
    )
    sheet.cover(moved(teeth, base, angle))
    pen.shape(moved(teeth, base, angle), 1.3)
    brush.fill(moved(outline * 0.98, (base[0] + 2, base[1] + 2), angle))
    half = len(outline) // 2
    shaded = moved(np.vstack((outline[half:], outline[:1])), base, angle)
    sheet.pen("dark green wash").fill(shaded)
    pen.stroke(
        moved(curve((0, 0), (length * 0.5, width * 0.02), (length * 0.96, width * 0.17), count=10), base, angle),
        (1.6, 0.6),
    )
    for share in np.linspace(0.14, 0.78, 6):
        for side in (-1, 1):
            reach = width * 0.46 * math.sin(math.pi * min(share + 0.16, 1) ** 0.8)
            vein = curve(
                (length * share, width * 0.05 * share),
                (length * (share + 0.08), side * reach * 0.5),
                (length * (share + 0.15), side * reach * 0.92),
                count=7,
            )
            pen.stroke(moved(vein, base, angle), (0.9, 0.4))
    _half_hatch(sheet, outline, base, angle, width)


def _half_hatch(sheet: Sheet, outline: Path, base: At, angle: float, width: float) -> None:
    """Fine lines along the edge of the half in shadow."""
    half = len(outline) // 2
    lower = outline[half:]
    for number in range(2, len(lower) - 2):
        start = lower[number]
        end = start * (1, 1 - 0.42)
        sheet.pen().stroke(moved(np.vstack((start, shifted(end, width * 0.03, 0))), base, angle), (0.9, 0.3))


#: Outlines for a size of 1, from the stalk to the right.
_PETAL = (
    (0.1, 0),
    (0.42, -0.42),
    (0.86, -0.42),
    (1.0, -0.16),
    (0.9, 0),
    (1.0, 0.18),
    (0.84, 0.44),
    (0.4, 0.42),
    (0.1, 0),
)
_BUD = (0, -0.25), (0.5, -0.38), (1.05, 0), (0.5, 0.38), (0, 0.25)
_FRUIT = (0, -0.2), (0.45, -0.42), (0.95, -0.16), (0.95, 0.16), (0.45, 0.42), (0, 0.2)


def rose(sheet: Sheet, at: At, radius: float, turn: float = 0.0) -> None:
    """A wild rose, seen from the front: five notched petals and a ring of stamens."""
    for number in range(5):
        _petal(sheet, at, radius, turn + 72 * number)
    pen = sheet.pen()
    pen.disc(at, radius * 0.25, BARE)
    for number in range(20):
        angle = math.radians(18 * number)
        end = (at[0] + radius * 0.33 * math.cos(angle), at[1] + radius * 0.33 * math.sin(angle))
        pen.line([at, end], 0.7)
        pen.disc(end, 1.8)
    sheet.pen("ochre wash").disc(at, radius * 0.36)
    pen.disc(at, radius * 0.11, BARE)
    pen.ring(at, radius * 0.11, 1.2)


def _petal(sheet: Sheet, at: At, radius: float, angle: float) -> None:
    petal = smooth(path(_PETAL) * radius, 6)
    _coloured(sheet, moved(petal, at, angle), ())
    sheet.pen("rose wash").fill(moved(petal * 0.97, (at[0] + 2, at[1] + 1), angle))
    for side in (-0.26, -0.13, 0, 0.13, 0.26):
        line = path([(0.24, side * 0.4), (0.5, side), (0.68 - abs(side), side * 1.3)]) * radius
        sheet.pen().stroke(moved(smooth(line, 4), at, angle), (0.9, 0.3))


def _coloured(sheet: Sheet, outline: Path, washes: Sequence[str], width: float = 1.3) -> None:
    """An area in front of what was there, with an outline and colours."""
    sheet.cover(outline)
    sheet.pen().shape(outline, width)
    for wash in washes:
        sheet.pen(wash).fill(outline)


def bud(sheet: Sheet, at: At, angle: float, size: float) -> None:
    """A closed flower with its sepals."""
    _coloured(sheet, moved(smooth(path(_BUD) * size, 6), at, angle), ("rose wash",))
    fold = curve((0.25, 0.1), (0.6, -0.15), (1, 0), count=8) * size
    sheet.pen().stroke(moved(fold, at, angle), (0.6, 1.0))
    for turn in (-30, 0, 30):
        sepal = moved(leaf_outline(size * 0.75, size * 0.24), (0, 0), turn)
        _coloured(sheet, moved(sepal, at, angle), ("green wash",), 1.0)


def hip(sheet: Sheet, at: At, angle: float, size: float) -> None:
    """A rose hip."""
    fruit = smooth(path(_FRUIT) * size, 6)
    _coloured(sheet, moved(fruit, at, angle), ("rose wash", "ochre wash"))
    for share in (0.55, 0.75):
        sheet.pen().stroke(moved(fruit[len(fruit) // 2 :] * (1, share), at, angle), (0.3, 1.0, 0.3))
    for turn in (-28, 0, 28):
        sheet.pen().stroke(moved([(size * 0.92, 0), (size * 1.3, size * turn / 70)], at, angle), (1.2, 0.4))


def compound(sheet: Sheet, base: At, angle: float, length: float, pairs: int = 3) -> None:
    """A leaf of several leaflets on one stalk."""
    stalk = moved(curve((0, 0), (length * 0.5, -length * 0.06), (length * 0.72, 0), count=16), base, angle)
    sheet.pen().stroke(stalk, (2.4, 1.2))
    for number in range(pairs):
        at, along = _point(stalk, 0.30 + 0.62 * number / pairs)
        size = length * (0.34 + 0.05 * number)
        for side in (-1, 1):
            leaf(sheet, at, along + side * (64 - 7 * number), size, size * 0.58)
    at, along = _point(stalk, 0.99)
    leaf(sheet, at, along, length * 0.46, length * 0.27)


def roots(sheet: Sheet, at: At, size: float) -> None:
    """A branching root, shaded."""
    pen, rng = sheet.pen(), sheet.rng
    for number, spread in enumerate((-0.75, -0.42, -0.12, 0.16, 0.45, 0.8)):
        depth = size * (0.62 + 0.38 * math.cos(spread))
        end = (at[0] + size * spread, at[1] + depth)
        bend = (at[0] + size * spread * 0.15, at[1] + depth * 0.5)
        root = curve((at[0] + spread * 12, at[1]), bend, (end[0] + 10 * (-1) ** number, end[1] - depth * 0.35), end)
        root = root + np.cumsum(rng.normal(0, 0.5, root.shape), axis=0)
        pen.stroke(root, (9.5 - abs(spread) * 4, 5, 2.2, 0.5))
        pen.stroke(shifted(root, -0.8, 0), (6.5 - abs(spread) * 4, 2.6, 0.5, 0.1), BARE)
        sheet.pen("ochre wash").stroke(root, (8, 4, 1.5))
        for share in (0.35, 0.55, 0.72, 0.86):
            place, along = _point(root, share)
            side = 1 if rng.random() > 0.5 else -1
            hair = moved(
                curve((0, 0), (size * 0.07, side * 6), (size * 0.17, side * 4), count=8), place, along + side * 38
            )
            pen.stroke(hair, (1.5, 0.3))


def wild_rose(sheet: Sheet, box: Edges) -> None:
    """A dog rose with root, leaves, flowers, buds and hips."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top

    def at(x: float, y: float) -> At:
        return left + x * width, top + y * height

    pen = sheet.pen()
    stem = smooth([at(0.50, 0.84), at(0.485, 0.70), at(0.52, 0.54), at(0.49, 0.36), at(0.53, 0.16)], 14)
    limbs = (
        smooth([at(0.50, 0.62), at(0.40, 0.50), at(0.30, 0.40), at(0.24, 0.27)], 12),
        smooth([at(0.515, 0.50), at(0.62, 0.40), at(0.70, 0.33), at(0.77, 0.22)], 12),
        smooth([at(0.495, 0.72), at(0.60, 0.66), at(0.72, 0.60), at(0.82, 0.53)], 12),
    )
    roots(sheet, at(0.50, 0.835), height * 0.15)
    for limb, angle, share in ((limbs[0], 170, 0.45), (limbs[1], 12, 0.5), (limbs[2], 60, 0.5), (limbs[2], -62, 0.68)):
        compound(sheet, _point(limb, share)[0], angle, width * 0.24)
    compound(sheet, _point(stem, 0.22)[0], 168, width * 0.33)
    compound(sheet, _point(stem, 0.72)[0], -150, width * 0.22)
    compound(sheet, _point(stem, 0.80)[0], -28, width * 0.21)
    for limb, widths in ((stem, (8.0, 6.0, 3.4)), *((limb, (4.8, 3.6, 2.4)) for limb in limbs)):
        pen.stroke(limb, widths)
        pen.stroke(shifted(limb, -0.7, 0.2), [each - 2.6 for each in widths], BARE)
        sheet.pen("green wash").stroke(limb, [each - 1 for each in widths])
        _thorns(sheet, limb)
    rose(sheet, _point(stem, 1.0)[0], width * 0.125, 10)
    rose(sheet, _point(limbs[0], 1.0)[0], width * 0.115, 40)
    bud(sheet, _point(limbs[1], 1.0)[0], -52, width * 0.075)
    hip(sheet, _point(limbs[2], 1.0)[0], -34, width * 0.085)
    side = smooth([_point(limbs[1], 0.72)[0], at(0.80, 0.35), at(0.86, 0.36)], 8)
    pen.stroke(side, (2.4, 1.6))
    bud(sheet, _point(side, 1.0)[0], 10, width * 0.065)
    sheet.zone("illustration", box)


def _thorns(sheet: Sheet, stem: Path) -> None:
    for number, share in enumerate(np.linspace(0.08, 0.8, 7)):
        place, along = _point(stem, float(share))
        side = 1 if number % 2 else -1
        thorn = [(-5, 0), (4, 0), (-4, side * 13)]
        sheet.pen().shape(moved(thorn, place, along), 1.1)


def seed(sheet: Sheet, at: At, size: float) -> None:
    """A hip cut open, for a detail."""
    pen = sheet.pen()
    pen.shape(arc(at, size, 0, 360, 1.25), 1.6)
    pen.shape(arc(at, size * 0.78, 0, 360, 1.25), 0.9)
    sheet.pen("rose wash").fill(arc(at, size, 0, 360, 1.25))
    for row in range(4):
        for column in range(3):
            x = at[0] + (column - 1) * size * 0.42 + (row % 2) * size * 0.1
            y = at[1] + (row - 1.5) * size * 0.48
            pen.shape(moved(leaf_outline(size * 0.42, size * 0.24), (x, y - size * 0.2), 82), 1.0)
