"""Zones, lines and words of a page, put into one another and into the order in which they are read.

ALTO, PAGE, hOCR and plain text share this. The level of an annotation is its attribute ``level``
(``zone``, ``line`` or ``word``); without one, what has text is a line and the rest are zones.
"""

from __future__ import annotations

import statistics
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from typing import TypeAlias

import cv2
import numpy as np

from limner.annotations.annotation import Annotation
from limner.annotations.masks import shape_to_polygons, simplified
from limner.annotations.shapes import Box, Mask, Point, Polygon, Shape

#: A part of a line: start and end.
Span: TypeAlias = tuple[float, float]
#: By how much of its height a line may reach into its neighbours and still lie above or below them.
_OVERLAP = 0.2
#: Gaps of at least this part of the widest are cut together with it.
_AS_WIDE = 0.8
#: Outlines made from masks are simplified by this many pixels: enough to turn the stairs along a slope
#: into a line, and too little for a stroke of one pixel to vanish.
MASK_TOLERANCE = 0.75


class Level(StrEnum):
    """What an annotation is in the layout of a page."""

    ZONE = "zone"
    LINE = "line"
    WORD = "word"


def level_of(annotation: Annotation) -> Level:
    """The level that the attributes name; else a line where there is text, and a zone where not."""
    named = annotation.attributes.get("level")
    if isinstance(named, str) and named in tuple(Level):
        return Level(named)
    return Level.ZONE if annotation.text is None else Level.LINE


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text with those of its words that are known."""

    #: None where words were found and no line around them.
    annotation: Annotation | None
    bounds: Box
    words: tuple[Annotation, ...] = ()

    @property
    def text(self) -> str:
        """The line's own text, or else its words."""
        if self.annotation is not None and self.annotation.text is not None:
            return self.annotation.text
        return " ".join(word.text for word in self.words if word.text)


@dataclass(frozen=True, slots=True)
class Block:
    """A zone with its lines, or lines that stand together in no zone."""

    #: None for lines outside all zones.
    zone: Annotation | None
    bounds: Box
    lines: tuple[Line, ...] = ()


def blocks_of(annotations: Iterable[Annotation]) -> tuple[Block, ...]:
    """Everything on a page, in reading order.

    A word goes into the smallest line that holds its centre, a line into the smallest zone.
    """
    levels: dict[Level, list[Annotation]] = {level: [] for level in Level}
    for annotation in annotations:
        levels[level_of(annotation)].append(annotation)
    leftwards = is_rtl(" ".join(annotation.text or "" for group in levels.values() for annotation in group))
    lines = _lines(levels[Level.LINE], levels[Level.WORD])
    height = statistics.median(line.bounds.height for line in lines) if lines else 0.0

    def ordered(boxes: Sequence[Box]) -> list[int]:
        return reading_order(boxes, text_height=height, leftwards=leftwards)

    return _blocks(levels[Level.ZONE], lines, ordered)


def is_rtl(text: str) -> bool:
    """Whether most letters of a text belong to a script that runs from right to left."""
    kinds = [unicodedata.bidirectional(character) for character in text]
    return sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")


def baseline_of(annotation: Annotation) -> tuple[Point, ...]:
    """The line that the letters stand on, from the attribute ``baseline``: a list of [x, y], at least two."""
    value = annotation.attributes.get("baseline")
    points: list[Point] = []
    for pair in value if isinstance(value, list) else ():
        match pair:
            case [int() | float() as x, int() | float() as y]:
                points.append((float(x), float(y)))
            case _:
                return ()
    return tuple(points) if len(points) > 1 else ()


def outline(shape: Shape) -> Polygon:
    """One line around a shape: its holes filled, the parts of a mask wrapped together."""
    first, *others = shape_to_polygons(shape)
    if not others:
        whole = Polygon(first.exterior)
        return simplified(whole, MASK_TOLERANCE) if isinstance(shape, Mask) else whole
    points = np.array([point for part in (first, *others) for point in part.exterior], dtype=np.float32)
    hull = cv2.convexHull(points).reshape(-1, 2)
    return Polygon(tuple((float(x), float(y)) for x, y in hull))


def _lines(lines: Sequence[Annotation], words: Sequence[Annotation]) -> list[Line]:
    boxes = [line.shape.bounds for line in lines]
    held, strays = _assigned([word.shape.bounds for word in words], boxes)
    made = [
        Line(line, box, _along([words[i] for i in inside]))
        for line, box, inside in zip(lines, boxes, held, strict=True)
    ]
    for row in _rows([words[i].shape.bounds for i in strays]):
        inside = _along([words[strays[i]] for i in row])
        made.append(Line(None, around(word.shape.bounds for word in inside), inside))
    return made


def _along(words: Sequence[Annotation]) -> tuple[Annotation, ...]:
    leftwards = is_rtl(" ".join(word.text or "" for word in words))
    return tuple(sorted(words, key=lambda word: word.shape.bounds.x, reverse=leftwards))


def _blocks(
    zones: Sequence[Annotation], lines: Sequence[Line], ordered: Callable[[Sequence[Box]], list[int]]
) -> tuple[Block, ...]:
    zone_boxes = [zone.shape.bounds for zone in zones]
    held, strays = _assigned([line.bounds for line in lines], zone_boxes)
    items: list[Block] = []
    for zone, box, inside in zip(zones, zone_boxes, held, strict=True):
        order = ordered([lines[i].bounds for i in inside])
        items.append(Block(zone, box, tuple(lines[inside[i]] for i in order)))
    items += [Block(None, lines[i].bounds, (lines[i],)) for i in strays]
    in_order = [items[i] for i in ordered([item.bounds for item in items])]
    return tuple(_gathered(in_order))


def _gathered(items: Iterable[Block]) -> Iterator[Block]:
    """Lines outside all zones that follow each other become one block."""
    for stray, group in groupby(items, key=lambda item: item.zone is None):
        if not stray:
            yield from group
            continue
        lines = tuple(line for item in group for line in item.lines)
        yield Block(None, around(line.bounds for line in lines), lines)


def _assigned(inner: Sequence[Box], outer: Sequence[Box]) -> tuple[list[list[int]], list[int]]:
    """For each outer box the inner ones whose centre it is the smallest to hold, and those in none."""
    held: list[list[int]] = [[] for _ in outer]
    strays: list[int] = []
    by_area = sorted(range(len(outer)), key=lambda i: outer[i].area)
    for i, box in enumerate(inner):
        x, y = box.x + box.width / 2, box.y + box.height / 2
        home = next((j for j in by_area if _holds(outer[j], x, y)), None)
        (strays if home is None else held[home]).append(i)
    return held, strays


def _holds(box: Box, x: float, y: float) -> bool:
    return box.x <= x <= box.x2 and box.y <= y <= box.y2


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box around some boxes."""
    x1, y1, x2, y2 = zip(*(box.corners for box in boxes), strict=True)
    return Box.from_corners(min(x1), min(y1), max(x2), max(y2))


def reading_order(boxes: Sequence[Box], *, text_height: float = 0.0, leftwards: bool = False) -> list[int]:
    """Positions of the boxes in the order of reading.

    The recursive XY cut (Nagy and Seth, 1984): a group is parted at its widest gap, into columns or
    into what is above and below, until there is no gap; the rest goes row by row. A gap between
    columns is at least ``text_height`` wide, so that numbers of a list stay with their items.
    ``leftwards`` puts right-hand columns first.
    """
    order: list[int] = []
    waiting = [list(range(len(boxes)))] if boxes else []
    while waiting:
        group = waiting.pop()
        parts = _cut(group, boxes, text_height, leftwards)
        if parts:
            waiting += reversed(parts)
        else:
            order += [group[i] for row in _rows([boxes[i] for i in group], leftwards) for i in row]
    return order


def _cut(group: list[int], boxes: Sequence[Box], text_height: float, leftwards: bool) -> list[list[int]]:
    """The group in two or more parts, or nothing where it cannot be cut."""
    across = [(boxes[i].x, boxes[i].x2) for i in group]
    # Lines reach a little into their neighbours, with the tails of their letters.
    slack = [_OVERLAP * min(boxes[i].height, text_height) for i in group]
    down = [(boxes[i].y + less, boxes[i].y2 - less) for i, less in zip(group, slack, strict=True)]
    column, columns = _widest_gaps(across)
    below, rows = _widest_gaps(down)
    least = max(text_height, below - 2 * _OVERLAP * text_height)
    if column > least:
        parts = _parted(group, across, columns)
        return parts[::-1] if leftwards else parts
    return _with_columns(_parted(group, down, rows), boxes, least) if rows else []


def _widest_gaps(spans: Iterable[Span]) -> tuple[float, list[float]]:
    """Width of the widest gap between some spans of a line, and the ends of all that are about as wide."""
    joined = _joined(spans)
    gaps = [(start - end, start) for (_, end), (start, _) in pairwise(joined)]
    widest = max((width for width, _ in gaps), default=0.0)
    return widest, [start for width, start in gaps if width >= _AS_WIDE * widest]


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Spans of a line in order, those that overlap or touch as one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _parted(group: list[int], spans: Sequence[Span], starts: list[float]) -> list[list[int]]:
    parts: list[list[int]] = [[] for _ in range(len(starts) + 1)]
    for i, (start, _) in zip(group, spans, strict=True):
        parts[bisect_right(starts, start)].append(i)
    return parts


def _with_columns(parts: Iterable[list[int]], boxes: Sequence[Box], least: float) -> list[list[int]]:
    """Parts below each other, those together that have a gap between columns in common."""
    runs: list[list[int]] = []
    spans: list[Span] = []
    for part in parts:
        own = [(boxes[i].x, boxes[i].x2) for i in part]
        joined = _joined([*spans, *own])
        if runs and _widest_gaps(joined)[0] > least:
            runs[-1] += part
            spans = joined
        else:
            runs.append(part)
            spans = _joined(own)
    return runs


def _rows(boxes: Sequence[Box], leftwards: bool = False) -> list[list[int]]:
    """Boxes side by side, row after row: a row takes what has its middle beside the row's first box."""
    rows: list[list[int]] = []
    for i in sorted(range(len(boxes)), key=lambda i: boxes[i].y + boxes[i].height / 2):
        middle = boxes[i].y + boxes[i].height / 2
        if rows and boxes[rows[-1][0]].y <= middle <= boxes[rows[-1][0]].y2:
            rows[-1].append(i)
        else:
            rows.append([i])
    return [sorted(row, key=lambda i: boxes[i].x, reverse=leftwards) for row in rows]
