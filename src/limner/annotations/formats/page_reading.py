"""Reading PAGE XML 2010 to 2019, our own files and other people's."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.imported_pages import PageMaker, file_name
from limner.annotations.formats.markup import (
    MADE,
    child,
    children,
    descendants,
    from_xml_id,
    local,
    numbers,
    parse_xml,
    points,
)
from limner.annotations.formats.naming import image_name
from limner.annotations.formats.reading import usable, with_own_ids
from limner.annotations.formats.reading_order import Level
from limner.annotations.page import Page
from limner.annotations.shapes import Point, Polygon, Shape
from limner.core.errors import FormatError

#: Our ids of pages begin with this: they must differ from those of annotations.
PAGE_ID = f"{MADE}page-"
_STRUCTURE = re.compile(r"structure\s*\{[^}]*?\btype\s*:\s*([^;}]*)")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def read_file(path: str, text: str, pages: PageMaker) -> Iterator[AnnotatedPage]:
    """The page of one file."""
    root = parse_xml(text, path, "PcGts", "PAGE")
    element = child(root, "Page")
    if element is None:
        raise FormatError(f"{path} holds no page.")
    stem = PurePosixPath(file_name(path)).stem
    name = file_name(element.get("imageFilename", "")) or image_name(stem, pages.context.size_of)[0]
    width, height = (_size(element.get(key, "")) for key in ("imageWidth", "imageHeight"))
    identifier = from_xml_id(root.get("pcGtsId", "").removeprefix(PAGE_ID)) or name
    page, sx, sy = pages.add_scaled(Page(id=identifier, name=name, index=0, width=width, height=height))
    reader = _Reader(path, pages, sx, sy)
    reader.regions(element)
    yield AnnotatedPage(page, with_own_ids(reader.found))


@dataclass
class _Reader:
    """Gathers the annotations of one page, in reading order as far as the file gives one."""

    path: str
    pages: PageMaker
    sx: float
    sy: float
    found: list[Annotation] = field(default_factory=list)

    def regions(self, page: ET.Element) -> None:
        """All regions and what is in them."""
        order = _reading_order(page)
        regions = [region for region in page if _is_region(region)]
        for region in sorted(regions, key=lambda region: order.get(region.get("id", ""), len(order))):
            self._region(region)

    def _region(self, region: ET.Element) -> None:
        if not _is_made(region, "around"):
            inner = child(region, "TextRegion")
            carrier = inner if inner is not None and _is_made(inner, "around") else region
            text, _ = _text(carrier)
            self._add(region, text, {"level": Level.ZONE.value} if text else {}, _score(child(region, "Coords")))
        for line in children(region, "TextLine"):
            self._line(line)
        for inner in region:
            if _is_region(inner):
                self._region(inner)

    def _line(self, line: ET.Element) -> None:
        if not _is_made(line, "words"):
            text, score = _text(line)
            attributes: dict[str, Json] = {} if text else {"level": Level.LINE.value}
            baseline = usable(self.pages.context, self._where(line), lambda: self._points(child(line, "Baseline")))
            if baseline and len(baseline) > 1:
                attributes["baseline"] = [[x, y] for x, y in baseline]
            self._add(line, text, attributes, score if score is not None else _score(child(line, "Coords")))
        for word in children(line, "Word"):
            text, score = _text(word)
            score = score if score is not None else _score(child(word, "Coords"))
            self._add(word, text, {"level": Level.WORD.value}, score)

    def _add(self, element: ET.Element, text: str | None, attributes: dict[str, Json], score: float | None) -> None:
        identifier = element.get("id")
        made = usable(
            self.pages.context,
            self._where(element),
            lambda: Annotation(
                id=from_xml_id(identifier) if identifier else uuid.uuid4().hex,
                shape=self._shape(element),
                label=_label(element),
                score=score,
                text=text,
                attributes=attributes,
            ),
        )
        if made is not None:
            self.found.append(made)

    def _where(self, element: ET.Element) -> str:
        return f"{self.path}, {local(element)} {element.get('id', 'without id')}"

    def _shape(self, element: ET.Element) -> Shape:
        ring = self._points(child(element, "Coords"))
        if not ring:
            raise FormatError("it has no position.")
        polygon = Polygon(ring)
        box = polygon.bounds
        (x1, y1), (x2, y2) = (box.x, box.y), (box.x2, box.y2)
        upright = {((x1, y1), (x2, y1), (x2, y2), (x1, y2)), ((x1, y1), (x1, y2), (x2, y2), (x2, y1))}
        turned = {polygon.exterior[i:] + polygon.exterior[:i] for i in range(4)}
        return box if upright & turned else polygon

    def _points(self, element: ET.Element | None) -> tuple[Point, ...]:
        """The points of Coords or Baseline, an attribute since 2013 and elements before."""
        if element is None:
            return ()
        pairs = points(element.get("points", "")) or tuple(
            (float(point.attrib["x"]), float(point.attrib["y"])) for point in children(element, "Point")
        )
        return tuple((x * self.sx, y * self.sy) for x, y in pairs)


def _is_region(element: ET.Element) -> bool:
    return local(element).endswith("Region") or local(element) == "TableCell"


def _is_made(element: ET.Element, what: str) -> bool:
    return element.get("id", "").startswith(f"{MADE}{what}-")


def _reading_order(page: ET.Element) -> dict[str, int]:
    """The place of each region, by its id; groups are taken in the order of their indices."""
    order: dict[str, int] = {}

    def walk(group: ET.Element) -> None:
        if group.get("regionRef"):
            order.setdefault(group.attrib["regionRef"], len(order))
        for inner in sorted(group, key=lambda each: (numbers(each.get("index", "")) or [0.0])[0]):
            walk(inner)

    for outer in children(page, "ReadingOrder"):
        walk(outer)
    return order


def _label(element: ET.Element) -> str:
    structure = _STRUCTURE.search(element.get("custom", ""))
    named = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), structure[1].strip(" ")) if structure else ""
    return named or element.get("type") or local(element)


def _text(element: ET.Element) -> tuple[str | None, float | None]:
    """The first reading of a text, and how sure it is."""
    readings = sorted(children(element, "TextEquiv"), key=lambda each: (numbers(each.get("index", "")) or [0.0])[0])
    if not readings:
        return None, None
    unicode = next(descendants(readings[0], "Unicode", "PlainText"), None)
    return (None if unicode is None else unicode.text or None), _score(readings[0])


def _score(element: ET.Element | None) -> float | None:
    values = numbers("" if element is None else element.get("conf", ""))
    return values[0] if len(values) == 1 and 0 <= values[0] <= 1 else None


def _size(text: str) -> int:
    values = numbers(text)
    return max(0, round(values[0])) if len(values) == 1 else 0
