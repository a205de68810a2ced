"""Targets of Web Annotations: from shapes to selectors, and from selectors of all kinds to shapes.

Boxes are written as ``xywh=`` fragments in whole canvas units, as the Media Fragments standard wants
them; all else as one SVG path. Read are besides these: percentages, fragment selectors, drawings of any
elements, choices and lists of selectors, and the Open Annotation forms of IIIF Presentation 2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from limner.annotations.annotation import Json
from limner.annotations.formats.reading import pixels_of
from limner.annotations.formats.reading_order import MASK_TOLERANCE
from limner.annotations.formats.svg import Drawn, read_svg, svg_of
from limner.annotations.masks import mask_from_array, polygons_to_array, shape_to_polygons, simplified
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Mask, Point, Polygon, Ring, Shape, ring_area
from limner.core.errors import FormatError, ShapeError

#: Lists and choices that lie deeper in each other are refused.
_DEEPEST = 20
MEDIA_FRAGMENTS = "http://www.w3.org/TR/media-frags/"
_NUMBER = r"\s*(-?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*"
_XYWH = re.compile(rf"(?:^|[#&?])xywh=(?:(pixel|percent):)?{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}(?:$|&)")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A rectangle in units of the canvas, or in percent of it."""

    values: tuple[float, float, float, float]
    percent: bool = False


#: What a selector selects; None is the whole.
Area: TypeAlias = Fragment | Drawn | None


def target_of(shape: Shape, page: Page, source: str) -> Json:
    """The target of an annotation: the source with a fragment, or a specific resource."""
    if isinstance(shape, Box):
        fragment = fragment_of(page.to_canvas(shape))
        if "#" not in source:
            return f"{source}#{fragment}"
        return _specific(source, {"type": "FragmentSelector", "conformsTo": MEDIA_FRAGMENTS, "value": fragment})
    polygons = [page.to_canvas(polygon) for polygon in _outlines(shape)]
    return _specific(source, {"type": "SvgSelector", "value": svg_of(polygons, _places(page))})


def _places(page: Page) -> int:
    """Decimal places that hold a thousandth of a pixel, also where a canvas unit is many pixels."""
    unit = page.to_canvas(Box(0, 0, 1, 1))
    return min(12, 3 + max(0, math.ceil(-math.log10(min(unit.width, unit.height)))))


def fragment_of(box: Box) -> str:
    """A box in whole units, each edge at the nearest, at least one unit wide and high."""
    (x, width), (y, height) = _extent(box.x, box.x2), _extent(box.y, box.y2)
    return f"xywh={x},{y},{width},{height}"


def _extent(start: float, end: float) -> tuple[int, int]:
    """Where something begins, and how long it is."""
    first, last = math.floor(start + 0.5), math.floor(end + 0.5)
    return (first, last - first) if first < last else (math.floor(start), 1)


def _specific(source: str, selector: dict[str, Json]) -> Json:
    return {"type": "SpecificResource", "source": source, "selector": selector}


def _outlines(shape: Shape) -> Iterator[Polygon]:
    for polygon in shape_to_polygons(shape):
        yield simplified(polygon, MASK_TOLERANCE) if isinstance(shape, Mask) else polygon


def targets(value: Json, depth: int = 0) -> Iterator[tuple[str, Json]]:
    """The sources and selectors in a target, whatever form it has; a selector of None selects all."""
    if isinstance(value, str):
        source, _, fragment = value.rpartition("#")
        yield (source, f"#{fragment}") if source and _XYWH.search(f"#{fragment}") else (value, None)
    elif isinstance(value, list | dict) and depth < _DEEPEST:
        if isinstance(value, dict):
            yield from _dict_targets(value, depth)
            return
        for inner in value:
            yield from targets(inner, depth + 1)
    else:
        raise FormatError("it has no target.")


def _dict_targets(value: dict[str, Json], depth: int) -> Iterator[tuple[str, Json]]:
    source = next((value[key] for key in ("source", "full", "items", "members") if key in value), None)
    if source is None:
        source = value.get("id", value.get("@id"))
    if isinstance(source, dict) and not {"source", "full"} & source.keys():
        source = source.get("id", source.get("@id"))
    for name, selector in targets(source, depth + 1):
        yield name, value.get("selector") or selector


def area_of(selector: Json) -> Area:
    """What a selector selects; of several, a drawing rather than a rectangle. Raises `FormatError`."""
    if selector is None:
        return None
    kinds: list[str] = []
    failures: list[FormatError] = []
    for kind, text in sorted(_simple(selector), key=lambda each: each[0] != "SvgSelector"):
        kinds.append(kind)
        try:
            if kind == "SvgSelector":
                return read_svg(text)
            if kind == "FragmentSelector":
                return _fragment(text)
        except FormatError as error:
            failures.append(error)
    raise failures[0] if failures else FormatError(f"its selector cannot be used: {', '.join(kinds) or 'none'}.")


def _simple(selector: Json, depth: int = 0) -> Iterator[tuple[str, str]]:
    """The kinds and values of the selectors in a selector."""
    if isinstance(selector, str):
        yield "FragmentSelector", selector
    elif isinstance(selector, list) and depth < _DEEPEST:
        for inner in selector:
            yield from _simple(inner, depth + 1)
    elif isinstance(selector, dict):
        kinds = plain_types(selector)
        if kinds & {"Choice", "List", "Composite"}:
            choices: list[Json] = [selector.get(key) for key in ("items", "members", "default", "item")]
            yield from _simple(choices, depth + 1)
            return
        texts = (text for text in (selector.get("value"), selector.get("chars")) if isinstance(text, str))
        yield next((kind for kind in kinds if kind.endswith("Selector")), "selector without a type"), next(texts, "")


def plain_types(value: Mapping[str, Json]) -> set[str]:
    """The types of a JSON-LD object, without prefixes."""
    types = value.get("type", value.get("@type", []))
    return {str(each).rpartition(":")[2] for each in (types if isinstance(types, list) else [types])}


def _fragment(text: str) -> Fragment:
    match = _XYWH.search(text.strip())
    if not match:
        raise FormatError(f"its fragment selects no rectangle: {text[:60]!r}.")
    x, y, width, height = (float(value) for value in match.groups()[1:])
    return Fragment((x, y, width, height), match[1] == "percent")


def centre_of(area: Area) -> Point | None:
    """About the middle of an area, in canvas units; None where that is not known."""
    match area:
        case Fragment(percent=False, values=(x, y, width, height)):
            return (x + width / 2, y + height / 2)
        case Drawn(rings=rings):
            xs, ys = zip(*rings[0], strict=True)
            return ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
    return None


def shapes_of(area: Area, page: Page) -> list[Shape]:
    """An area in pixels of a page's image; several shapes only where they cannot be one mask."""
    if isinstance(area, Drawn):
        return _drawn(area, page)
    if area is None:
        if not page.sized:
            raise FormatError("it concerns the whole image, whose size is not known.")
        return [Box(0, 0, page.width, page.height)]
    x, y, width, height = area.values
    if not area.percent:
        return [page.to_image(Box(x, y, width, height))]
    across, down = (page.canvas.width, page.canvas.height) if page.canvas else (page.width, page.height)
    if not across or not down:
        raise FormatError("it is in percent of an image whose size is not known.")
    return [page.to_image(Box(x, y, width, height).scaled(across / 100, down / 100))]


def _drawn(drawn: Drawn, page: Page) -> list[Shape]:
    polygons = [page.to_image(polygon) for polygon in polygons_from_rings(drawn.rings)]
    if drawn.is_rectangle:
        return [polygons[0].bounds]
    if len(polygons) == 1 or not page.sized:
        return list(polygons)
    return [mask_from_array(polygons_to_array(polygons, *pixels_of(page.width, page.height)))]


def polygons_from_rings(rings: Sequence[Ring]) -> list[Polygon]:
    """Polygons with their holes, by the even-odd rule; lines without area are left out. Raises `ShapeError`."""
    outlines = [outline for outline in map(_outline, rings) if outline]
    if not outlines:
        raise ShapeError("it has no area.")
    areas = [abs(ring_area(outline.exterior)) for outline in outlines]
    above = [
        [j for j in range(len(outlines)) if areas[j] > areas[i] and _within(outlines[i], outlines[j])]
        for i in range(len(outlines))
    ]
    holes: dict[int, list[Ring]] = {}
    for i, around in enumerate(above):
        if len(around) % 2:
            holes.setdefault(min(around, key=lambda j: areas[j]), []).append(outlines[i].exterior)
    outer = [i for i, around in enumerate(above) if len(around) % 2 == 0]
    return [Polygon(outlines[i].exterior, tuple(holes.get(i, ()))) for i in outer]


def _outline(ring: Ring) -> Polygon | None:
    try:
        return Polygon(ring)
    except ShapeError:
        return None


def _within(inner: Polygon, outer: Polygon) -> bool:
    """Whether most of a line runs inside another; lines that do not cross may touch."""
    if not inner.bounds.intersection(outer.bounds):
        return False
    ring = inner.exterior
    middles = [((x1 + x2) / 2, (y1 + y2) / 2) for (x1, y1), (x2, y2) in pairwise((*ring, ring[0]))]
    points = [*ring, *middles]
    return sum(_encloses(outer.exterior, *point) for point in points) * 2 > len(points)


def _encloses(ring: Ring, x: float, y: float) -> bool:
    """The even-odd rule for one point."""
    inside = False
    for (x1, y1), (x2, y2) in pairwise((*ring, ring[0])):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside
