"""The printed pages of the sample book."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from limner.operations.samples import texts
from limner.operations.samples.drawing import BARE, INK, arc, curve, mirrored, moved, shifted, smooth
from limner.operations.samples.figures import eclipse, pentagon, phases, solids, spheres, star, three_squares
from limner.operations.samples.ornaments import border, headpiece, initial, tailpiece
from limner.operations.samples.pictures import harbour
from limner.operations.samples.plants import hip, rose, seed, wild_rose
from limner.operations.samples.sheet import Column, Edges, Sheet, grown, joined
from limner.operations.samples.typesetting import Face

_BODY = Face("roman", 26)
_NOTE = Face("italic", 19)
_FOLIO = Face("roman", 24)


def _running_title(sheet: Sheet, title: str, folio: str, left: float, right: float) -> None:
    """A title in spaced capitals above the text, and the number of the page at its outer end."""
    middle = (left + right) / 2
    sheet.zone("running-title", grown(sheet.centred(title, Face("roman", 20, 4), middle, 132)))
    number = sheet.ended(folio, _FOLIO, right, 132) if int(folio) % 2 else sheet.write(folio, _FOLIO, (left, 132))
    sheet.zone("numbering", grown(number))


def _note(sheet: Sheet, lines: Sequence[str], left: float, y: float) -> None:
    """A note in the margin."""
    edges = [sheet.write(line, _NOTE, (left, y + 23 * number)) for number, line in enumerate(lines)]
    sheet.zone("margin", grown(joined(edges)))


def _text(sheet: Sheet, paragraphs: Sequence[str], face: Face, column: Column, indent: float = 28) -> Edges:
    """Paragraphs one under the other, as one zone."""
    edges = [
        sheet.paragraph(text, face, column, 0 if number == 0 else indent) for number, text in enumerate(paragraphs)
    ]
    box = grown(joined(edges))
    sheet.zone("text", box)
    return box


def _with_initial(sheet: Sheet, letter: str, rows: int, column: Column, face: Face, ink: str = "black") -> None:
    """An initial as high as some rows at the head of a column, which keeps its place free."""
    capital = face.size * 0.68
    side = ((rows - 1) * column.leading + capital) / 1.08
    initial(sheet, letter, (column.left + side * 0.04, column.y - capital + side * 0.04), side, ink)
    column.kept = (side * 1.08 + 13, rows)


def title_page(sheet: Sheet) -> None:
    """The title in lines of different sizes, the printer's device, place and year."""
    border(sheet, (130, 110, 1090, 1490), 46)
    middle = 610
    lines = (
        ("LE LIVRE", Face("roman", 84, 12), 266, "red"),
        ("DES FIGURES", Face("roman", 58, 8), 346, "black"),
        ("contenant les mesures du ciel et de la terre,", Face("italic", 32), 412, "black"),
        ("les herbes, les ports & les heures du soleil,", Face("italic", 32), 454, "black"),
        ("NOUVELLEMENT DESSINÉ", Face("roman", 30, 5), 524, "red"),
        ("pour ceux qui aiment à regarder.", Face("italic", 28), 566, "black"),
    )
    edges = [sheet.centred(text, face, middle, y, ink) for text, face, y, ink in lines]
    sheet.zone("text", grown(joined(edges)))
    _device(sheet, (middle, 918), 222)
    imprint = (
        ("À L’ENSEIGNE DE LA SPHÈRE", Face("roman", 28, 4), 1296, "black"),
        ("chez les imprimeurs du quai, près du vieux pont", Face("italic", 25), 1338, "black"),
        ("M. D. XLIII.", Face("roman", 36, 6), 1402, "red"),
    )
    edges = [sheet.centred(text, face, middle, y, ink) for text, face, y, ink in imprint]
    sheet.zone("text", grown(joined(edges)))


def _device(sheet: Sheet, centre: tuple[float, float], radius: float) -> None:
    """An armillary sphere on its stand in an oval, before a sky with stars."""
    pen = sheet.pen()
    x, y = centre
    oval = arc(centre, radius, 0, 360, 1.26)
    ground = y + radius * 0.80
    pen.shape(oval, 3.4)
    pen.hatch(oval[oval[:, 1] < ground], 0, 5.2, 1.5, unsteady=0.25)
    globe, size = (x, y - radius * 0.22), radius * 0.62
    pen.disc(globe, size + 9, BARE)
    for angle, reach in ((202, 0.84), (232, 0.92), (308, 0.92), (338, 0.84), (158, 0.80), (22, 0.80)):
        turn = math.radians(angle)
        at = (x + radius * reach * math.cos(turn), y + radius * reach * 1.2 * math.sin(turn))
        pen.disc(at, radius * 0.085, BARE)
        star(pen, at, radius * 0.07)
    _stand(sheet, globe, size, radius)
    for tilt, flat in ((0, 1.0), (0, 0.30), (90, 0.42), (28, 0.22), (-38, 0.36)):
        ring = moved(arc((0.0, 0.0), size, 0, 361, flat), globe, tilt)
        for width, value in ((9.0, INK), (5.4, BARE), (1.2, INK)):
            pen.line(ring, width, value)
    pen.disc(globe, size * 0.15)
    pen.line(arc(centre, radius * 0.955, 0, 361, 1.265), 1.2)
    _banner(sheet, "OMNIA MENSVRA", (x, y + radius * 1.06), radius * 0.86)
    sheet.zone("illustration", (x - radius - 2, y - radius * 1.26 - 2, x + radius + 2, y + radius * 1.30))


def _banner(sheet: Sheet, motto: str, middle: tuple[float, float], half: float) -> None:
    """A ribbon with a motto."""
    pen, (x, y) = sheet.pen(), middle
    for side in (-1, 1):
        tail = [(0.80, 8), (1.16, 2), (1.06, 22), (1.16, 44), (0.80, 48)]
        pen.shape([(x + side * half * across, y + down - 10) for across, down in tail], 1.8)
        fold = [(0.80, 38), (0.92, 33), (0.92, 22), (0.80, 26)]
        pen.fill([(x + side * half * across, y + down) for across, down in fold])
    upper = curve((x - half * 0.92, y - 6), (x, y - 34), (x + half * 0.92, y - 6))
    pen.shape(np.vstack((upper, shifted(upper[::-1], 0, 42))), 1.8)
    face = Face("roman", 23, 3.0)
    bend = half * 2.6
    sheet.around_arc(motto, face, (x, y + 3 + bend), bend, -90)


def _stand(sheet: Sheet, globe: tuple[float, float], size: float, radius: float) -> None:
    """The foot of the sphere, shaded on its right, on a tiled floor."""
    pen = sheet.pen()
    x, top = globe[0], globe[1] + size
    ground = top + 134 * radius / 200
    floor = arc((x, ground + 10), radius * 0.74, 0, 360, 0.13)
    pen.shape(floor, 1.2)
    pen.hatch(floor, 0, 4.4, 1.0)
    points = ((7, -4), (18, 8), (8, 22), (6, 46), (24, 60), (10, 76), (14, 94), (54, 114), (66, 134))
    right = smooth([(x + half * radius / 200, top + down * radius / 200) for half, down in points], 6)
    pen.shape(np.vstack((right, mirrored(right, x)[::-1])), 2.0)
    shade = np.column_stack((x + (right[::-1, 0] - x) * 0.15, right[::-1, 1]))
    pen.hatch(np.vstack((right, shade)), 0, 3.4, 1.4)


def opening(sheet: Sheet) -> None:
    """The first page of the text: a headpiece, a large initial, notes in the margin."""
    left, right = 170, 880
    _running_title(sheet, "LE LIVRE DES FIGURES", "1", left, right)
    headpiece(sheet, (left, 168, right, 266))
    title = [
        sheet.centred("LIVRE PREMIER", Face("roman", 40, 8), (left + right) / 2, 344),
        sheet.centred("où l’on dit pourquoi il faut des images", Face("italic", 28), (left + right) / 2, 390, "red"),
    ]
    sheet.zone("text", grown(joined(title)))
    column = Column(left, right - left, 460, 38)
    starts = []
    _with_initial(sheet, "L", 5, column, Face("roman", 27))
    edges = []
    for number, text in enumerate(texts.OPENING):
        starts.append(column.y)
        edges.append(sheet.paragraph(text, Face("roman", 27), column, 30 if number else 0))
    sheet.zone("text", grown(joined(edges)))
    for lines, y in zip(texts.OPENING_NOTES, starts, strict=True):
        _note(sheet, lines, right + 34, y)
    tailpiece(sheet, (left + right) / 2, column.y + 24, 320)


def geometry(sheet: Sheet) -> None:
    """Figures in the outer margin beside the text that speaks of them."""
    left, right = 110, 1040
    _running_title(sheet, "OF LINES AND BODIES", "12", left, right)
    for draw, box in (
        (three_squares, (left, 180, left + 340, 590)),
        (pentagon, (left, 624, left + 340, 1006)),
        (solids, (left, 1040, left + 340, 1290)),
    ):
        draw(sheet, box)
    column = Column(left + 382, right - left - 382, 204, 40)
    heading = sheet.write("The First Part", Face("bold", 36), (column.left, 212))
    sheet.zone("text", grown(heading))
    column.y = 292
    _with_initial(sheet, "F", 4, column, Face("roman", 27))
    _text(sheet, texts.GEOMETRY, Face("roman", 27), column)
    caption = sheet.write("Fig. 1–3. Drawn with compass and rule.", Face("sans medium", 16), (left, 1324))
    sheet.zone("text", grown(caption))


def astronomy(sheet: Sheet) -> None:
    """The spheres of the planets, and below them an eclipse."""
    left, right = 180, 1060
    middle = (left + right) / 2
    _running_title(sheet, "DE SPHAERA MVNDI", "27", left, right)
    spheres(sheet, (middle, 520), 345)
    column = Column(left, 505, 948, 33)
    _with_initial(sheet, "C", 4, column, Face("roman", 23), "red")
    _text(sheet, texts.ASTRONOMY, Face("roman", 23), column, 24)
    phases(sheet, (720, 916, right, 1256))
    eclipse(sheet, (left, 1296, right, 1500))


def herbal(sheet: Sheet) -> None:
    """A wild rose with its parts."""
    left, right = 120, 1030
    _running_title(sheet, "DES HERBES ET DES HAIES", "40", left, right)
    wild_rose(sheet, (left + 30, 160, left + 730, 1190))
    name = [
        sheet.centred("Rosa canina", Face("italic", 36), left + 832, 250, "red"),
        sheet.centred("l’églantier", Face("roman", 26), left + 832, 288),
    ]
    sheet.zone("text", grown(joined(name)))
    _details(sheet, left + 770)
    column = Column(left, right - left, 1296, 40)
    _text(sheet, texts.HERBAL, Face("roman", 27), column)


def _details(sheet: Sheet, x: float) -> None:
    """The parts of the plant, numbered, one under the other."""
    rose(sheet, (x + 60, 430), 52, 18)
    hip(sheet, (x + 30, 700), 0, 66)
    seed(sheet, (x + 60, 900), 42)
    sheet.zone("illustration", (x, 370, x + 122, 490))
    sheet.zone("illustration", (x + 20, 664, x + 122, 736))
    sheet.zone("illustration", (x + 14, 844, x + 106, 956))
    for text, y in zip(texts.HERBAL_NOTES, (528, 774, 994), strict=True):
        sheet.zone("text", grown(sheet.centred(text, Face("italic", 21), x + 62, y)))


def voyage(sheet: Sheet) -> None:
    """A woodcut above two columns."""
    left, right = 160, 1060
    _running_title(sheet, "A SHORT VOYAGE", "53", left, right)
    harbour(sheet, (left, 168, right, 768))
    title = sheet.centred("How the Town was drawn from the Sea", Face("bold", 34), (left + right) / 2, 838)
    sheet.zone("text", grown(title))
    face, width = Face("roman", 25), (right - left - 44) / 2
    first = Column(left, width, 912, 36)
    _with_initial(sheet, "W", 4, first, face)
    _text(sheet, texts.VOYAGE[:1], face, first)
    second = Column(left + width + 44, width, 912, 36)
    _text(sheet, texts.VOYAGE[1:], face, second, 24)


def table(sheet: Sheet) -> None:
    """A ruled table with its explanation."""
    left, right = 120, 860
    _running_title(sheet, "DES HEURES", "68", left, right)
    title = sheet.centred(texts.TABLE_TITLE, Face("bold", 40), (left + right) / 2, 226)
    sheet.zone("text", grown(title))
    bottom = _grid(sheet, (left, 270, right, 1076))
    for lines, y in zip(texts.TABLE_NOTES, (492, 676), strict=True):
        _note(sheet, lines, right + 40, y)
    column = Column(left, right - left, bottom + 96, 39)
    _with_initial(sheet, "P", 4, column, _BODY)
    _text(sheet, texts.TABLE_TEXT, _BODY, column)


def _grid(sheet: Sheet, box: Edges) -> float:
    """Rules, heads and cells; gives the lower edge."""
    left, top, right, bottom = box
    pen = sheet.pen()
    edges = left + (right - left) * np.array((0, 0.235, 0.405, 0.585, 0.795, 1.0))
    step = (bottom - top) / 13.3
    pen.frame(box, 2.4)
    pen.frame((left + 5, top + 5, right - 5, bottom - 5), 0.8)
    pen.line([(left + 5, top + 1.15 * step), (right - 5, top + 1.15 * step)], 1.8)
    pen.line([(left + 5, top + 1.15 * step + 4), (right - 5, top + 1.15 * step + 4)], 0.7)
    for edge in edges[1:-1]:
        pen.line([(edge, top + 5), (edge, bottom - 5)], 0.8)
    for row in range(3, 12, 3):
        pen.line([(left + 5, top + (row + 1.25) * step), (right - 5, top + (row + 1.25) * step)], 0.6)
    middles = (edges[:-1] + edges[1:]) / 2
    for text, middle in zip(texts.TABLE_HEADS, middles, strict=True):
        sheet.centred(text, Face("sans bold", 20), float(middle), top + 0.76 * step, "red")
    for row, cells in enumerate(texts.TABLE_ROWS):
        y = top + (row + 1.9) * step
        sheet.write(cells[0], Face("italic", 26), (left + 22, y))
        for text, middle in zip(cells[1:], middles[1:], strict=True):
            sheet.centred(text, Face("roman", 25), float(middle), y)
    sheet.zone("table", grown(box))
    return bottom
