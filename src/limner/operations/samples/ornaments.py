"""Ornaments of old books: initials in their squares, headpieces, borders of small units, tailpieces."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from limner.operations.samples.drawing import BARE, INK, Path, Pen, arc, curve, leaf_outline, mirrored, moved, spiral
from limner.operations.samples.sheet import Edges, Sheet
from limner.operations.samples.typesetting import Face


def vine(pen: Pen, stem: Path, width: float, ink: int = INK, leaves: int = 5, leaf: float = 12.0) -> None:
    """A stem that thins towards its end, with leaves on alternate sides and a berry at its tip."""
    pen.stroke(stem, (width, width * 0.8, width * 0.5, width * 0.4) if leaves else (width, width), ink)
    for number, at in enumerate(np.linspace(0.16, 0.82, leaves)):
        index = int(at * (len(stem) - 2))
        along = stem[index + 1] - stem[index]
        angle = math.degrees(math.atan2(along[1], along[0]))
        side = 1 if number % 2 else -1
        size = leaf * (1.1 - 0.5 * at)
        _leaflet(pen, stem[index], angle + side * 52, size, ink)
    if leaves:
        pen.disc((float(stem[-1][0]), float(stem[-1][1])), width * 1.25, ink)


def _leaflet(pen: Pen, base: Path, angle: float, size: float, ink: int) -> None:
    """A leaf with a vein in the other colour."""
    at = (float(base[0]), float(base[1]))
    pen.leaf(at, angle, size, size * 0.62, ink)
    vein = moved(curve((size * 0.2, 0), (size * 0.5, size * 0.04), (size * 0.8, size * 0.1), count=6), at, angle)
    pen.line(vein, 0.7, BARE if ink == INK else INK)


def initial(sheet: Sheet, letter: str, at: tuple[float, float], side: float, ink: str = "black") -> Edges:
    """A letter, white in a dark square full of vines; gives the edges of the square."""
    left, top = at
    box = (left, top, left + side, top + side)
    pen = sheet.pen(ink)
    pen.block(box)
    pen.frame(_inset(box, side * 0.025), side * 0.012, BARE)
    middle = (left + side / 2, top + side / 2)
    for quarter in range(4):
        _corner_vine(pen, middle, side, quarter * 90)
    _points(pen, box)
    _white_letter(sheet, letter, middle, side, ink)
    pen.frame(_inset(box, -side * 0.035), side * 0.01)
    edges = _inset(box, -side * 0.04)
    sheet.zone("initial", edges)
    return edges


def _inset(box: Edges, by: float) -> Edges:
    return box[0] + by, box[1] + by, box[2] - by, box[3] - by


def _corner_vine(pen: Pen, middle: tuple[float, float], side: float, angle: float) -> None:
    """A spiral that fills one corner of the square."""
    stem = spiral((0.26 * side, 0.26 * side), 0.185 * side, 0.05 * side, 205, 1.35)
    lead = curve(
        (0.02 * side, 0.05 * side), (0.05 * side, 0.12 * side), (float(stem[0][0]), float(stem[0][1])), count=8
    )
    vine(pen, moved(np.vstack((lead, stem[1:])), middle, angle), side * 0.022, BARE, 6, side * 0.085)
    pen.leaf(tuple(moved([(0.40 * side, 0.40 * side)], middle, angle)[0]), -135 - angle, side * 0.09, side * 0.05, BARE)


def _points(pen: Pen, box: Edges) -> None:
    """White points on the dark ground between the vines (criblé)."""
    side = box[2] - box[0]
    step = side / 15
    for row in range(1, 15):
        for column in range(1, 15):
            shift = step / 2 if row % 2 else 0.0
            x, y = box[0] + column * step + shift - step / 4, box[1] + row * step
            if x < box[2] - step * 0.8:
                pen.disc((x, y), side * 0.0052, BARE)


def _white_letter(sheet: Sheet, letter: str, middle: tuple[float, float], side: float, ink: str) -> None:
    face = Face("bold", side * 0.92)
    left, top, right, bottom = face.extent(letter)
    at = (middle[0] - (left + right) / 2, middle[1] - (top + bottom) / 2)
    for value, edge in ((INK, 0.055), (BARE, 0.030), (INK, 0.012), (BARE, 0.0)):
        sheet.stencil(letter, face, at, ink, side * edge, value)


def headpiece(sheet: Sheet, box: Edges, ink: str = "black") -> None:
    """A band of scrolls, the same on both sides of its middle, between rules."""
    left, top, right, bottom = box
    pen = sheet.pen(ink)
    height, middle = bottom - top, (left + right) / 2
    pen.frame((left, top, right, bottom), 2.4)
    pen.frame((left + 5, top + 5, right - 5, bottom - 5), 0.9)
    centre = (middle, (top + bottom) / 2)
    half = (right - left) / 2 - height * 0.5
    for stem, kind in scrolls((middle + height * 0.38, centre[1]), half, height * 0.72):
        for each in (stem, mirrored(stem, middle)):
            vine(pen, each, height * 0.045, INK, 6 if kind else 0, height * 0.15)
    _centrepiece(pen, centre, height)
    sheet.zone("illustration", (left - 2, top - 2, right + 2, bottom + 2))


def scrolls(start: tuple[float, float], length: float, height: float) -> Iterator[tuple[Path, bool]]:
    """A waving stem to the right, and in each of its waves a branch that curls up; True for a branch."""
    count = max(1, round(length / (height * 0.95)))
    step = length / count
    along = np.linspace(0, count, count * 24)
    yield np.column_stack((start[0] + along * step, start[1] - height / 2 * np.sin(along * math.pi))), False
    for number in range(count):
        centre = (start[0] + (number + 0.5) * step, start[1])
        yield spiral(centre, step * 0.5, step * 0.09, 0, 1.35 if number % 2 == 0 else -1.35), True


def _centrepiece(pen: Pen, middle: tuple[float, float], height: float) -> None:
    """A flower in a ring."""
    pen.disc(middle, height * 0.34, BARE)
    pen.ring(middle, height * 0.33, 1.6)
    for number in range(8):
        pen.leaf(middle, number * 45, height * 0.3, height * 0.14)
    pen.disc(middle, height * 0.09, BARE)
    pen.disc(middle, height * 0.06)


def border(sheet: Sheet, box: Edges, band: float = 34.0, ink: str = "black") -> None:
    """A frame of waving stems with leaves and berries between rules, a flower in each corner."""
    left, top, right, bottom = box
    pen = sheet.pen(ink)
    pen.frame(box, 2.6)
    pen.frame(_inset(box, 4), 0.8)
    pen.frame(_inset(box, band), 0.8)
    pen.frame(_inset(box, band + 4), 1.8)
    half = band / 2 + 2
    across, down = (left + half, right - half), (top + half, bottom - half)
    corners = ((across[0], down[0]), (across[1], down[0]), (across[1], down[1]), (across[0], down[1]))
    for number, corner in enumerate(corners):
        after = corners[(number + 1) % 4]
        length = math.dist(corner, after) - 2 * half
        for stem in garland(length, band * 0.84):
            pen.fill(moved(moved(stem, (half, 0)), corner, 90 * number))
        _rosette(pen, corner, band * 0.42)


def garland(length: float, height: float) -> Iterator[Path]:
    """The parts of a waving stem from the origin to the right: the stem itself, leaves and berries."""
    count = max(1, round(length / height / 1.15))
    step = length / count
    along = np.linspace(0, count, count * 16)
    wave = np.column_stack((along * step, -height * 0.15 * np.sin(along * math.pi)))
    thickness = np.array((0, height * 0.05))
    yield np.vstack((wave - thickness, (wave + thickness)[::-1]))
    for number in range(count):
        side = -1 if number % 2 == 0 else 1
        x = (number + 0.5) * step
        for turn, size in ((-52, 0.30), (0, 0.34), (52, 0.30)):
            yield moved(leaf_outline(height * size, height * 0.15), (x, side * height * 0.14), side * 90 + turn)
        yield arc((x, -side * height * 0.22), height * 0.075, 0, 360)


def _rosette(pen: Pen, at: tuple[float, float], radius: float) -> None:
    """A flower with six leaves."""
    for number in range(6):
        pen.leaf(at, number * 60 + 30, radius, radius * 0.5)
    pen.disc(at, radius * 0.34, BARE)
    pen.disc(at, radius * 0.22)


def tailpiece(sheet: Sheet, middle: float, top: float, width: float, ink: str = "black") -> None:
    """Scrolls that hang down to a point under the end of a chapter."""
    pen = sheet.pen(ink)
    height = width * 0.5
    outer = curve(
        (middle + 6, top + height * 0.3), (middle + width * 0.1, top), (middle + width * 0.42, top - 4), count=16
    )
    pairs = (
        outer,
        spiral((middle + width * 0.34, top + height * 0.24), width * 0.13, width * 0.02, -52, 1.3),
        spiral((middle + width * 0.14, top + height * 0.44), width * 0.115, width * 0.018, -120, -1.4),
        spiral((middle + width * 0.07, top + height * 0.80), width * 0.06, width * 0.012, -120, -1.3),
    )
    for stem in pairs:
        for each in (stem, mirrored(stem, middle)):
            vine(pen, each, width * 0.015, INK, 6, width * 0.075)
    pen.stroke(curve((middle, top + height * 0.2), (middle, top + height * 1.02), count=8), (3, 4, 1.5))
    for turn, size in ((90, 0.10), (50, 0.07), (130, 0.07)):
        pen.leaf((middle, top + height * 0.98), turn, width * size, width * size * 0.45)
    _rosette(pen, (middle, top + height * 0.16), width * 0.055)
    sheet.zone("illustration", (middle - width * 0.5, top - height * 0.06, middle + width * 0.5, top + height * 1.2))
