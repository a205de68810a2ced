"""The manuscript page: two ruled columns, initials in colours, a border with leaves and gold."""

from __future__ import annotations

import math

import numpy as np

from limner.operations.samples import texts
from limner.operations.samples.drawing import BARE, Path, arc, curve, leaf_outline, moved, smooth, spiral
from limner.operations.samples.figures import face
from limner.operations.samples.sheet import Column, Edges, Sheet, grown, joined
from limner.operations.samples.typesetting import Face

_HAND = Face("italic", 31)
_TOP, _LEADING, _ROWS = 300, 47, 24
_COLUMNS = ((250.0, 350.0), (650.0, 350.0))


def garden(sheet: Sheet) -> None:
    """The beginning of a treatise on gardens."""
    _ruling(sheet)
    _bar(sheet, (214, 226, 224, 1404))
    rubric = sheet.write(texts.MANUSCRIPT_RUBRIC, Face("italic", 34), (_COLUMNS[0][0], 262), "red")
    sheet.zone("running-title", grown(rubric))
    number = sheet.write("vij", Face("italic", 30), (1020, 150), "brown")
    sheet.zone("numbering", grown(number))
    first = Column(*_COLUMNS[0], _TOP + _LEADING, _LEADING)
    box = (first.left + 4, _TOP + 8, first.left + 4 + 176, _TOP + 8 + 176)
    _illuminated(sheet, "H", box)
    first.kept = (196, 4)
    edges = [sheet.paragraph(texts.MANUSCRIPT[0], _HAND, first, ragged=True)]
    edges += [
        _marked(sheet, text, first, ink) for text, ink in zip(texts.MANUSCRIPT[1:3], ("red", "blue"), strict=True)
    ]
    sheet.zone("text", grown(joined(edges)))
    second = Column(*_COLUMNS[1], _TOP + _LEADING, _LEADING)
    edges = [_marked(sheet, text, second, ink) for text, ink in zip(texts.MANUSCRIPT[3:], ("red", "blue"), strict=True)]
    sheet.zone("text", grown(joined(edges)))
    note = [
        sheet.write(line, Face("italic", 21), (1046, 420 + 26 * row), "brown")
        for row, line in enumerate(texts.MANUSCRIPT_NOTE)
    ]
    sheet.zone("margin", grown(joined(note)))
    _miniature(sheet, (_COLUMNS[1][0], second.y - 12, _COLUMNS[1][0] + _COLUMNS[1][1], 1404))


def _ruling(sheet: Sheet) -> None:
    """The lines that the scribe drew first."""
    pen = sheet.pen("faint")
    for left, width in _COLUMNS:
        for x in (left - 8, left + width + 8):
            pen.line([(x, 150), (x, 1470)], 0.7)
        for row in range(_ROWS):
            y = _TOP + 7 + _LEADING * row
            pen.line([(left - 8, y), (left + width + 8, y)], 0.6)


def _marked(sheet: Sheet, text: str, column: Column, ink: str) -> Edges:
    """A paragraph that begins with a coloured sign."""
    y = column.y
    pen = sheet.pen(ink)
    bowl = arc((column.left + 10, y - 13), 10, 90, 270, 0.9)
    pen.fill(np.vstack((bowl, [(column.left + 13, y - 22), (column.left + 13, y - 4)])))
    for x in (13, 19):
        pen.stroke([(column.left + x, y - 23), (column.left + x, y + 7)], (2.0, 1.2))
    pen.line([(column.left + 8, y - 22), (column.left + 26, y - 22)], 1.8)
    return sheet.paragraph(text, _HAND, column, 34, ragged=True)


def _illuminated(sheet: Sheet, letter: str, box: Edges) -> None:
    """A letter in blue on a ground of gold, with vines in white."""
    left, top, right, bottom = box
    side, middle = right - left, ((left + right) / 2, (top + bottom) / 2)
    sheet.cover([(left, top), (right, top), (right, bottom), (left, bottom)])
    sheet.pen("gold").block(box)
    sheet.pen("red").block((left + 12, top + 12, right - 12, bottom - 12))
    for ink in ("gold", "red"):
        for quarter in range(4):
            stem = moved(spiral((side * 0.24, side * 0.24), side * 0.17, side * 0.03, 205, 1.4), middle, 90 * quarter)
            sheet.pen(ink).stroke(stem, (4.0, 2.6, 1.6), BARE)
            for share in (0.2, 0.4, 0.6):
                at = stem[int(share * (len(stem) - 1))]
                sheet.pen(ink).leaf(
                    (float(at[0]), float(at[1])), 90 * quarter + share * 400, side * 0.07, side * 0.04, BARE
                )
    sheet.pen("gold").block((left + 12, top + 12, right - 12, bottom - 12), BARE)
    _letter(sheet, letter, middle, side)
    sheet.pen().frame(box, 1.4)
    sheet.pen().frame((left + 12, top + 12, right - 12, bottom - 12), 0.9)
    sheet.zone("initial", grown(box, 2))


def _letter(sheet: Sheet, letter: str, middle: tuple[float, float], side: float) -> None:
    face = Face("bold", side * 0.80)
    left, top, right, bottom = face.extent(letter)
    at = (middle[0] - (left + right) / 2, middle[1] - (top + bottom) / 2)
    sheet.stencil(letter, face, at, "red", 0.028 * side, BARE)
    sheet.stencil(letter, face, at, "blue", 0.0)


def _bar(sheet: Sheet, box: Edges) -> None:
    """A bar in blue and gold along the text, that sends out leaves at both ends."""
    left, top, right, bottom = box
    sheet.pen("blue").block((left, top, (left + right) / 2, bottom))
    sheet.pen("gold").block(((left + right) / 2, top, right, bottom))
    sheet.pen().frame(box, 1.0)
    for y in range(int(top) + 60, int(bottom), 110):
        sheet.cover(arc((left + 5, y), 9, 0, 360))
        sheet.pen("blue").disc((left + 5, y), 9)
        sheet.pen("blue").disc((left + 5, y), 4, BARE)
        sheet.pen("gold").disc((left + 5, y), 4)
        sheet.pen().ring((left + 5, y), 9, 1.0)
    upper = smooth([(left + 5, top), (left + 8, 180), (300, 140), (440, 168), (560, 130), (690, 158)], 14)
    lower = smooth(
        [(left + 5, bottom), (left + 10, 1462), (320, 1508), (470, 1476), (600, 1516), (760, 1486), (900, 1512)], 14
    )
    outer = smooth([(left + 2, 760), (170, 700), (148, 590), (168, 480), (140, 390)], 14)
    other = smooth([(left + 2, 900), (168, 960), (150, 1080), (172, 1190), (142, 1290)], 14)
    for number, stem in enumerate((upper, lower, outer, other)):
        _tendril(sheet, stem, number)
    sheet.zone("illustration", (196, 1404, 930, 1545))
    sheet.zone("illustration", (112, 370, 206, 1310))


def _tendril(sheet: Sheet, stem: Path, shift: int) -> None:
    """A thin stem with coloured leaves, flowers and drops of gold."""
    pen = sheet.pen()
    pen.stroke(stem, (2.2, 1.6, 1.0))
    inks = ("green wash", "blue", "rose wash", "dark green wash")
    for number, share in enumerate(np.arange(0.07, 1.0, 0.062)):
        index = min(int(share * (len(stem) - 1)), len(stem) - 2)
        at = (float(stem[index][0]), float(stem[index][1]))
        along = stem[index + 1] - stem[index]
        side = 1 if number % 2 else -1
        angle = math.degrees(math.atan2(along[1], along[0])) + side * 58
        _ornament(sheet, at, angle, inks[(number + shift) % 4], drop=number % 3 == 2)
    end = (float(stem[-1][0]), float(stem[-1][1]))
    for number in range(5):
        petal = moved(leaf_outline(17, 11), end, number * 72)
        sheet.cover(petal)
        sheet.pen("blue" if shift % 2 else "rose wash").fill(petal)
        pen.shape_outline(petal, 0.9)
    sheet.pen("gold").disc(end, 5)
    pen.ring(end, 5, 1.0)


def _ornament(sheet: Sheet, at: tuple[float, float], angle: float, ink: str, *, drop: bool) -> None:
    """A leaf on a short stalk, or a drop of gold with rays."""
    pen = sheet.pen()
    turn = math.radians(angle)
    tip = (at[0] + 12 * math.cos(turn), at[1] + 12 * math.sin(turn))
    pen.stroke(
        curve(at, (at[0] + 7 * math.cos(turn + 0.5), at[1] + 7 * math.sin(turn + 0.5)), tip, count=6), (1.2, 0.8)
    )
    if drop:
        ball = (at[0] + 18 * math.cos(turn), at[1] + 18 * math.sin(turn))
        sheet.pen("gold").disc(ball, 6)
        pen.ring(ball, 6, 1.2)
        for spread in (-35, 0, 35):
            ray = math.radians(angle + spread)
            start = (ball[0] + 7 * math.cos(ray), ball[1] + 7 * math.sin(ray))
            pen.line([start, (ball[0] + 14 * math.cos(ray), ball[1] + 14 * math.sin(ray))], 0.7)
        return
    for spread, length in ((-40, 17), (0, 22), (40, 17)):
        outline = moved(leaf_outline(length, length * 0.5), tip, angle + spread)
        sheet.cover(outline)
        sheet.pen(ink).fill(outline)
        pen.shape_outline(outline, 0.9)


def _miniature(sheet: Sheet, box: Edges) -> None:
    """A walled garden with trees, a well and beehives under a blue sky."""
    left, top, right, bottom = box
    pen = sheet.pen()
    horizon = top + (bottom - top) * 0.40
    sheet.cover([(left, top), (right, top), (right, bottom), (left, bottom)])
    sheet.pen("sky wash").block((left + 7, top + 7, right - 7, horizon))
    sheet.pen("green wash").block((left + 7, horizon, right - 7, bottom - 7))
    _heaven(sheet, (left, top, right, horizon))
    wall = horizon + (bottom - top) * 0.06
    sheet.cover([(left + 7, horizon - 16), (right - 7, horizon - 16), (right - 7, wall), (left + 7, wall)])
    pen.shape([(left + 7, horizon - 10), (right - 7, horizon - 10), (right - 7, wall), (left + 7, wall)], 1.2)
    sheet.pen("ochre wash").block((left + 7, horizon - 10, right - 7, wall))
    for number, x in enumerate(np.arange(left + 7, right - 18, 18)):
        merlon = [(x, horizon - 10), (x, horizon - 20), (x + 10, horizon - 20), (x + 10, horizon - 10)]
        sheet.cover(merlon)
        sheet.pen("ochre wash").fill(merlon)
        pen.shape_outline(merlon, 1.0)
        pen.line([(x + 9 * (number % 2), horizon), (x + 9 * (number % 2) + 10, horizon)], 0.6)
    for number in range(26):
        x, y = (float(value) for value in sheet.rng.uniform((left + 14, wall + 12), (right - 14, bottom - 12)))
        pen.stroke([(x, y), (x + 2, y - 8)], (1.0, 0.3))
        sheet.pen("red" if number % 2 else "gold").disc((x + 2, y - 9), 2.2)
    for share, size in ((0.40, 0.70), (0.62, 0.66), (0.22, 0.94), (0.775, 0.97)):
        _apple_tree(
            sheet,
            (left + (right - left) * share, bottom - (bottom - top) * (0.64 - 0.50 * size)),
            (right - left) * 0.60 * size,
        )
    for share in (0.44, 0.60):
        _hive(sheet, (left + (right - left) * share, bottom - (bottom - top) * 0.08), (right - left) * 0.19)
    pen.frame(box, 2.2)
    pen.frame((left + 7, top + 7, right - 7, bottom - 7), 1.0)
    sheet.pen("gold").frame((left + 2, top + 2, right - 2, bottom - 2), 4.0)
    sheet.zone("illustration", grown(box, 1))


def _heaven(sheet: Sheet, box: Edges) -> None:
    """A golden sun between bands of cloud."""
    left, top, right, bottom = box
    pen, width = sheet.pen(), right - left
    at = (left + width * 0.5, top + (bottom - top) * 0.40)
    for number in range(16):
        turn = math.radians(22.5 * number)
        reach = width * (0.15 if number % 2 else 0.12)
        ray = [(0.0, -4.5), (reach, 0.0), (0.0, 4.5)]
        outline = moved(ray, (at[0] + 20 * math.cos(turn), at[1] + 20 * math.sin(turn)), 22.5 * number)
        sheet.cover(outline)
        sheet.pen("gold").fill(outline)
        pen.shape_outline(outline, 0.8)
    disc = arc(at, 21, 0, 360)
    sheet.cover(disc)
    sheet.pen("gold").fill(disc)
    pen.shape_outline(disc, 1.2)
    face(pen, at, 17)
    for x, y, size in ((0.18, 0.30, 1.0), (0.84, 0.34, 1.0), (0.30, 0.74, 0.8), (0.72, 0.76, 0.8)):
        centre = (left + width * x, top + (bottom - top) * y)
        for dx, dy, radius in ((-20, 3, 10), (20, 3, 10), (-8, -4, 12), (9, -3, 11), (0, 5, 11)):
            lobe = arc((centre[0] + dx * size, centre[1] + dy * size), radius * size, 0, 360)
            sheet.cover(lobe)
            pen.stroke(arc((centre[0] + dx * size, centre[1] + dy * size), radius * size, 170, 350), (0.4, 1.3, 0.4))


def _apple_tree(sheet: Sheet, foot: tuple[float, float], height: float) -> None:
    pen = sheet.pen()
    x, y = foot
    trunk = [(x - 5, y), (x - 3, y - height * 0.5), (x + 3, y - height * 0.5), (x + 6, y)]
    sheet.cover(trunk)
    sheet.pen("brown").fill(trunk)
    crown = (x, y - height * 0.66)
    lobes = [
        (crown[0] + height * 0.2 * math.cos(turn), crown[1] + height * 0.17 * math.sin(turn))
        for turn in np.linspace(0, 2 * math.pi, 8)[:-1]
    ]
    for lobe in (*lobes, crown):
        outline = arc(lobe, height * 0.15, 0, 360)
        sheet.cover(outline)
        sheet.pen("dark green wash").fill(outline)
        pen.shape_outline(outline, 0.8)
    sheet.pen("dark green wash").fill(arc(crown, height * 0.24, 0, 360))
    pen.fill(arc(crown, height * 0.24, 0, 360), BARE)
    for turn, reach in ((20, 0.15), (80, 0.2), (150, 0.14), (205, 0.2), (265, 0.12), (320, 0.2)):
        at = (
            crown[0] + height * reach * math.cos(math.radians(turn)),
            crown[1] + height * reach * math.sin(math.radians(turn)),
        )
        sheet.cover(arc(at, 4.6, 0, 360))
        sheet.pen("red").disc(at, 4.2)
        pen.ring(at, 4.6, 0.8)


def _hive(sheet: Sheet, foot: tuple[float, float], size: float) -> None:
    """A hive of straw."""
    x, y = foot
    outline = np.vstack(
        (
            curve((x - size * 0.4, y), (x - size * 0.45, y - size), (x, y - size * 1.1)),
            curve((x, y - size * 1.1), (x + size * 0.45, y - size), (x + size * 0.4, y)),
        )
    )
    sheet.cover(outline)
    sheet.pen("ochre wash").fill(outline)
    pen = sheet.pen()
    pen.shape_outline(outline, 1.2)
    for share in (0.2, 0.4, 0.6, 0.8):
        half = size * (0.40 - 0.16 * share**2)
        pen.stroke(
            curve((x - half, y - size * share), (x, y - size * share + 4), (x + half, y - size * share), count=8),
            (0.8, 1.0, 0.8),
        )
    pen.fill(np.vstack((arc((x, y - 4), 4, 180, 360), [(x + 4, y), (x - 4, y)])))
