"""Figures of geometry and astronomy, in frames."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from limner.operations.samples.drawing import BARE, Path, Pen, arc, curve, moved, path
from limner.operations.samples.sheet import Edges, Sheet
from limner.operations.samples.typesetting import Face

_LETTERS = Face("italic", 21)
_SMALL = Face("roman", 17, 1.5)


def framed(sheet: Sheet, box: Edges) -> Pen:
    """A double frame around a figure, and the pen to draw it with."""
    pen = sheet.pen()
    left, top, right, bottom = box
    pen.frame(box, 2.2)
    pen.frame((left + 5, top + 5, right - 5, bottom - 5), 0.8)
    sheet.zone("illustration", (left - 1, top - 1, right + 1, bottom + 1))
    return pen


def named(sheet: Sheet, names: str, points: Sequence[tuple[float, float]], centre: tuple[float, float]) -> None:
    """Letters beside points, on the side away from a centre."""
    for name, (x, y) in zip(names, points, strict=True):
        away = np.array((x - centre[0], y - centre[1]))
        dx, dy = away / max(float(np.hypot(*away)), 1e-6) * 17
        sheet.centred(name, _LETTERS, x + float(dx), y + float(dy) + 7, told=False)


def corners(centre: tuple[float, float], radius: float, count: int, start: float = -90.0) -> list[tuple[float, float]]:
    """The corners of a regular polygon."""
    angles = [math.radians(start + 360 * number / count) for number in range(count)]
    return [(centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)) for angle in angles]


def closed(points: Sequence[tuple[float, float]]) -> Path:
    """Points and the first of them again."""
    return path([*points, points[0]])


def three_squares(sheet: Sheet, box: Edges) -> None:
    """The squares on the sides of a right triangle (Euclid I, 47)."""
    pen = framed(sheet, box)
    left, top, right, bottom = box
    unit = min((right - left) / 11.2, (bottom - top) / 12.0)
    corner = np.array(((left + right) / 2 - 2.5 * unit, (top + bottom) / 2 + 0.1 * unit))
    a, b, c = (corner + np.array(at) * unit for at in ((0, 0), (5, 0), (1.8, -2.4)))
    for one, other, gap in ((b, a, 6.0), (a, c, 4.2), (c, b, 5.0)):
        side = other - one
        out = np.array((side[1], -side[0]))
        square = path([one, other, other + out, one + out])
        pen.hatch(square, 45 if gap > 5 else -45, gap, 0.7)
        pen.shape_outline(square, 1.8)
    down = np.array((0, 5 * unit))
    pen.line([c, np.array((c[0], a[1] + 5 * unit))], 1.1)
    pen.line([a + down, c, b + down], 0.9)
    places = {"A": (c, 0, -13), "B": (a, -15, 18), "C": (b, 15, 18), "D": (a + down, -14, 6), "E": (b + down, 14, 6)}
    for name, (point, across, below) in places.items():
        x, y = float(point[0]) + across, float(point[1]) + below
        pen.disc((x, y - 6), 10, BARE)
        sheet.centred(name, _LETTERS, x, y, told=False)


def pentagon(sheet: Sheet, box: Edges) -> None:
    """A pentagon and its star in a circle, with the arcs of the compass."""
    pen = framed(sheet, box)
    left, top, right, bottom = box
    centre, radius = ((left + right) / 2, (top + bottom) / 2 + 4), min(right - left, bottom - top) / 2 - 46
    points = corners(centre, radius, 5)
    pen.ring(centre, radius, 1.8)
    pen.line(closed(points), 1.8)
    star = [points[number * 2 % 5] for number in range(5)]
    inner = corners(centre, radius * 0.381966, 5, 90)
    pen.hatch(closed(inner), 30, 5.0, 0.8)
    pen.line(closed(star), 1.1)
    pen.line([points[0], (centre[0], centre[1] + radius)], 0.8)
    side = math.dist(points[0], points[1])
    for at in (0, 1):
        towards = math.degrees(math.atan2(points[4 - at][1] - points[at][1], points[4 - at][0] - points[at][0]))
        pen.line(arc(points[at], side, towards - 9, towards + 9), 0.8)
    for point in (*points, centre):
        pen.disc(point, 2.6)
    named(sheet, "ABCDE", points, centre)
    sheet.write("F", _LETTERS, (centre[0] + 6, centre[1] - 6), told=False)


def solids(sheet: Sheet, box: Edges) -> None:
    """A cone, a sphere and a cylinder on a ground, shaded by hatching."""
    pen = framed(sheet, box)
    left, top, right, bottom = box
    ground, unit = bottom - (bottom - top) * 0.30, (right - left) / 8.2
    _cone(pen, (left + 1.5 * unit, ground), unit * 0.95, unit * 2.5)
    _sphere(pen, (left + 4.1 * unit, ground - unit * 1.0), unit * 1.12)
    _cylinder(pen, (left + 6.7 * unit, ground), unit * 0.9, unit * 2.1)
    for number in range(5):
        y = ground + unit * (0.42 + 0.13 * number)
        pen.line([(left + 18, y), (right - 18, y)], 0.6)
    for name, x in zip("ABC", (1.5, 4.1, 6.7), strict=True):
        sheet.centred(name, _LETTERS, left + x * unit, bottom - 13, told=False)


def _cone(pen: Pen, foot: tuple[float, float], radius: float, height: float) -> None:
    x, y = foot
    outline = np.vstack(([(x, y - height)], arc(foot, radius, 0, 180, 0.28)))
    pen.shape(outline, 1.6)
    for number, share in enumerate(np.linspace(0.06, 0.96, 12)):
        end = arc(foot, radius, share * 84, share * 84 + 0.5, 0.28)[0]
        pen.stroke([(x + share * 0.6, y - height * (0.96 - 0.02 * number)), end], (0.4, 1.0, 1.5))


def _sphere(pen: Pen, centre: tuple[float, float], radius: float) -> None:
    x, y = centre
    _cast(pen, (x + radius * 0.9, y + radius * 0.9), radius * 1.3)
    pen.shape(arc(centre, radius, 0, 360), 1.6)
    for share in np.linspace(0.30, 0.96, 11):
        pen.stroke(
            arc((x - radius * (1 - share), y - radius * (1 - share)), radius * share * 1.02, -22, 112), (0.3, 1.5, 0.3)
        )
    pen.ring(centre, radius, 1.8)


def _cylinder(pen: Pen, foot: tuple[float, float], radius: float, height: float) -> None:
    x, y = foot
    top = (x, y - height)
    pen.shape(np.vstack((arc(foot, radius, 0, 180, 0.28), arc(top, radius, 180, 360, 0.28))), 1.6)
    for share in 1 - np.linspace(0, 1, 13)[:-1] ** 1.6 * 1.1:
        dip = radius * 0.28 * math.sqrt(max(0.0, 1 - share**2))
        pen.stroke([(x + radius * share, y - height + dip), (x + radius * share, y + dip)], (1.1, 1.1))
    pen.shape(arc(top, radius, 0, 360, 0.28), 1.4)


def _cast(pen: Pen, middle: tuple[float, float], width: float) -> None:
    """A shadow on the ground."""
    pen.hatch(arc(middle, width, 0, 360, 0.16), 0, 3.2, 1.1)


def spheres(sheet: Sheet, centre: tuple[float, float], radius: float) -> None:
    """The spheres of the planets around the earth, the signs of the zodiac outside."""
    pen = sheet.pen()
    x, y = centre
    sheet.zone("illustration", (x - radius - 2, y - radius - 2, x + radius + 2, y + radius + 2))
    for share, width in ((1.0, 3.0), (0.985, 0.8), (0.875, 1.4), (0.86, 0.7)):
        pen.ring(centre, radius * share, width)
    _degrees(pen, centre, radius)
    names = (
        "ARIES",
        "TAVRVS",
        "GEMINI",
        "CANCER",
        "LEO",
        "VIRGO",
        "LIBRA",
        "SCORPIO",
        "SAGITTA",
        "CAPRA",
        "AQVA",
        "PISCES",
    )
    for number, name in enumerate(names):
        sheet.around_arc(name, _SMALL, centre, radius * 0.93, -75 + 30 * number)
    planets = ("SATVRNVS", "IVPPITER", "MARS", "SOL", "VENVS", "MERCVRIVS", "LVNA")
    for number, name in enumerate(planets):
        own = radius * (0.77 - 0.091 * number)
        pen.ring(centre, own + radius * 0.045, 1.1)
        sheet.around_arc(name, _SMALL, centre, own, -90 + (18 if number % 2 else -18))
        turn = math.radians((20, 152, 208, 62, 330, 118, 185)[number])
        _planet(pen, (x + own * math.cos(turn), y + own * math.sin(turn)), radius * 0.026, number)
    _stars(pen, centre, radius * 0.835)
    _earth(pen, centre, radius * 0.135)


def _degrees(pen: Pen, centre: tuple[float, float], radius: float) -> None:
    """Lines between the signs, and a scale of degrees."""
    for degree in range(0, 360, 2):
        outer, inner = (radius * 0.875, radius * 0.985) if degree % 30 == 0 else (radius * 0.86, radius * 0.875)
        turn = math.radians(degree)
        ends = [(centre[0] + r * math.cos(turn), centre[1] + r * math.sin(turn)) for r in (outer, inner)]
        pen.line(ends, 1.3 if degree % 30 == 0 else 0.8)


def _planet(pen: Pen, at: tuple[float, float], radius: float, number: int) -> None:
    if number == 3:
        sun(pen, at, radius * 1.05)
        return
    pen.disc(at, radius * 1.15, BARE)
    pen.ring(at, radius, 1.3)
    if number == 6:
        pen.fill(np.vstack((arc(at, radius, -90, 90), arc((at[0] - radius * 0.5, at[1]), radius * 1.1, 62, -62))))
    else:
        pen.disc(at, radius * 0.45)


def sun(pen: Pen, at: tuple[float, float], radius: float, rays: int = 12) -> None:
    """A disc with rays, long and short in turn, each dark on one side."""
    for number in range(rays * 2):
        length, width = (1.85, 0.26) if number % 2 == 0 else (1.5, 0.15)
        turn = 360 / rays / 2 * number
        ray = [(radius * 0.9, -radius * width), (radius * length, 0.0), (radius * 0.9, radius * width)]
        pen.shape(moved(ray, at, turn), max(0.8, radius * 0.02))
        pen.fill(moved([ray[1], ray[2], (radius * 0.9, 0.0)], at, turn))
    pen.disc(at, radius * 1.0)
    pen.disc(at, radius * 0.94 - 0.8, BARE)


def _stars(pen: Pen, centre: tuple[float, float], radius: float) -> None:
    for number in range(36):
        turn = math.radians(number * 10 + 3)
        at = (centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn))
        star(pen, at, 5.0 if number % 3 == 0 else 3.4)


def star(pen: Pen, at: tuple[float, float], radius: float, points: int = 6) -> None:
    """A filled star."""
    outer, inner = corners(at, radius, points), corners(at, radius * 0.42, points, -90 + 180 / points)
    pen.fill([point for pair in zip(outer, inner, strict=True) for point in pair])


def _earth(pen: Pen, centre: tuple[float, float], radius: float) -> None:
    """A small landscape in a ring: land above, sea below."""
    x, y = centre
    pen.disc(centre, radius, BARE)
    for number in range(7):
        level = y + radius * (0.12 + 0.12 * number)
        half = math.sqrt(max(0.0, radius**2 - (level - y) ** 2)) * 0.94
        points = np.linspace(x - half, x + half, 24)
        pen.line(np.column_stack((points, level + 1.6 * np.sin(points / 3.0 + number))), 0.9)
    hills = np.vstack(
        (
            curve((x - radius, y + 3), (x - radius * 0.6, y - radius * 0.6), (x - radius * 0.1, y + 3)),
            curve((x - radius * 0.1, y + 3), (x + radius * 0.4, y - radius * 0.9), (x + radius, y + 3)),
        )
    )
    pen.shape(hills, 1.1)
    pen.hatch(hills, 62, 3.4, 0.8)
    pen.ring(centre, radius, 2.2)


def eclipse(sheet: Sheet, box: Edges) -> None:
    """The sun, the earth and the moon in its shadow."""
    pen = framed(sheet, box)
    left, top, right, bottom = box
    y, width = (top + bottom) / 2, right - left
    day, earth, moon = (left + width * 0.17, y), (left + width * 0.60, y), (left + width * 0.84, y)
    big, middle, small = (bottom - top) * 0.20, (bottom - top) * 0.125, (bottom - top) * 0.07
    tip = earth[0] + (earth[0] - day[0]) * middle / (big - middle)
    cut = [
        (left + width * 0.965, y + sign * middle * (tip - left - width * 0.965) / (tip - earth[0])) for sign in (-1, 1)
    ]
    pen.hatch([(earth[0], y - middle), cut[0], cut[1], (earth[0], y + middle)], 0, 3.6, 1.0)
    for sign in (-1, 1):
        pen.line([(day[0], y + sign * big), (earth[0], y + sign * middle), cut[0] if sign < 0 else cut[1]], 1.0)
        pen.line([(day[0], y + sign * big), (earth[0], y - sign * middle)], 0.7)
    sun(pen, day, big * 0.98, 14)
    face(pen, day, big * 0.7)
    pen.line([(day[0], y), (right - 12, y)], 0.6)
    reach = math.degrees(math.asin(min(1.0, ((bottom - top) / 2 - 10) / (moon[0] - earth[0]))))
    pen.line(arc(earth, moon[0] - earth[0], -reach, reach), 0.9)
    _half_dark(pen, earth, middle)
    pen.disc(moon, small + 1.5, BARE)
    pen.disc(moon, small)
    for name, (x, size) in zip(
        ("SOL", "TERRA", "LVNA"), ((day[0], big * 2.1), (earth[0], middle), (moon[0], small)), strict=True
    ):
        sheet.centred(name, _SMALL, x, min(y + size + 26, bottom - 12), told=False)


def _half_dark(pen: Pen, at: tuple[float, float], radius: float) -> None:
    """A globe lit from the left."""
    pen.disc(at, radius + 1.5, BARE)
    pen.ring(at, radius, 1.8)
    pen.fill(arc(at, radius, -90, 90))


def face(pen: Pen, at: tuple[float, float], radius: float) -> None:
    """The face of a sun."""
    x, y = at
    for sign in (-1, 1):
        eye = (x + sign * radius * 0.38, y - radius * 0.16)
        pen.line(arc(eye, radius * 0.2, 200, 340, 0.7), 1.2)
        pen.disc((eye[0], eye[1] - 1), radius * 0.07)
        pen.stroke(arc((eye[0], eye[1] - radius * 0.12), radius * 0.32, 215, 325, 0.8), (0.4, 1.8, 0.4))
        pen.line(arc((x + sign * radius * 0.48, y + radius * 0.28), radius * 0.14, 0, 360), 0.6)
    pen.line(
        [(x, y - radius * 0.1), (x - radius * 0.12, y + radius * 0.26), (x + radius * 0.06, y + radius * 0.28)], 1.2
    )
    pen.stroke(arc((x, y + radius * 0.36), radius * 0.34, 25, 155, 0.6), (0.4, 2.2, 0.4))


def phases(sheet: Sheet, box: Edges) -> None:
    """The phases of the moon on its way round the earth, the sun at the right."""
    pen = framed(sheet, box)
    left, top, right, bottom = box
    centre, radius = ((left + right) / 2, (top + bottom) / 2), min(right - left, bottom - top) / 2 - 52
    pen.ring(centre, radius, 1.0)
    pen.ring(centre, radius * 0.66, 0.7)
    _half_lit(pen, centre, 17, 0.5)
    for number in range(8):
        turn = math.radians(45 * number)
        out = (centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn))
        seen = (centre[0] + radius * 0.66 * math.cos(turn), centre[1] + radius * 0.66 * math.sin(turn))
        _half_lit(pen, out, 13, 0.5)
        _half_lit(pen, seen, 13, (1 - math.cos(turn)) / 2, left=math.sin(turn) < 0)
        sheet.centred(
            "ABCDEFGH"[number],
            _LETTERS,
            centre[0] + (radius + 27) * math.cos(turn),
            centre[1] + (radius + 27) * math.sin(turn) + 7,
            told=False,
        )


def _half_lit(pen: Pen, at: tuple[float, float], radius: float, lit: float, left: bool = False) -> None:
    """A globe of which some part, 0 to 1, is lit from the right, or from the left."""
    pen.disc(at, radius + 2, BARE)
    pen.disc(at, radius)
    edge = arc(at, radius, -90, 90)
    inner = edge.copy()
    inner[:, 0] = at[0] + (edge[:, 0] - at[0]) * (1 - 2 * lit)
    bright = np.vstack((edge, inner[::-1]))
    if left:
        bright[:, 0] = 2 * at[0] - bright[:, 0]
    pen.fill(bright, BARE)
    pen.ring(at, radius, 1.3)
