"""Reading ALTO 1 to 4, our own files and other people's."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET

from limner.annotations.annotation import Annotation, ByModel, ByPerson, Json, Provenance
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.imported_pages import PageMaker, file_name
from limner.annotations.formats.markup import MADE, child, children, descendants, from_xml_id, local, numbers, parse_xml
from limner.annotations.formats.markup import points as parse_points
from limner.annotations.formats.naming import image_name
from limner.annotations.formats.reading import usable, with_own_ids
from limner.annotations.formats.reading_order import Level, around
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Point, Polygon, Shape
from limner.core.errors import FormatError

_BLOCKS = ("TextBlock", "Illustration", "GraphicalElement", "ComposedBlock")
_SPACES = ("TopMargin", "LeftMargin", "RightMargin", "BottomMargin", "PrintSpace")
#: Points that stand for a circle or an ellipse.
_ROUND = 64


def read_file(path: str, text: str, pages: PageMaker) -> Iterator[AnnotatedPage]:
    """The pages of one file."""
    root = parse_xml(text, path, "alto", "ALTO")
    known = _Known(_tags(root), _processings(root))
    outer = list(descendants(root, "Page"))
    if not outer:
        raise FormatError(f"{path} holds no page.")
    for number, element in enumerate(outer, 1):
        stem = PurePosixPath(file_name(path)).stem + (f"-{number}" if len(outer) > 1 else "")
        name = _image_name(root) or image_name(stem, pages.context.size_of)[0]
        unit = _text(child(root, "Description"), "MeasurementUnit").strip() or "pixel"
        page = _page(root, element, name)
        if unit != "pixel" and not (page.sized and pages.context.size_of(name)):
            pages.context.problems.append(
                f"{path}: the annotations were left out: they are in {unit}, and the image is not there to reckon with."
            )
            yield AnnotatedPage(pages.add(replace(page, width=0, height=0)))
            continue
        page, sx, sy = pages.add_scaled(page)
        reader = _Reader(path, pages, known, sx, sy)
        reader.spaces(element)
        yield AnnotatedPage(page, with_own_ids(reader.found))


@dataclass(frozen=True, slots=True)
class _Known:
    """What the head of a file defines, by its IDs."""

    tags: Mapping[str, tuple[str, str]]
    processings: Mapping[str, Provenance]


@dataclass
class _Reader:
    """Gathers the annotations of one page, in the order of the file."""

    path: str
    pages: PageMaker
    known: _Known
    sx: float
    sy: float
    found: list[Annotation] = field(default_factory=list)

    def spaces(self, page: ET.Element) -> None:
        """Everything in the print space and the margins."""
        for space in children(page, *_SPACES):
            self._blocks(space)

    def _blocks(self, parent: ET.Element) -> None:
        for block in children(parent, *_BLOCKS):
            lines = list(children(block, "TextLine"))
            own = [line for line in lines if _is_made(line, "text")]
            if not _is_made(block, "around"):
                inner = child(block, "TextBlock")
                if not lines and inner is not None and _is_made(inner, "around"):
                    own = [line for line in children(inner, "TextLine") if _is_made(line, "text")]
                text = "\n".join(_line_text(line) for line in own) if own else None
                self._add(block, text, {"level": Level.ZONE.value} if own else {}, self._score(block, None))
            for line in lines:
                if line not in own and not _is_made(line, "text"):
                    self._line(line)
            self._blocks(block)

    def _line(self, line: ET.Element) -> None:
        strings = list(children(line, "String"))
        words = [string for string in strings if self._is_word(string, line, len(strings))]
        if not _is_made(line, "words"):
            text = _line_text(line) or None
            attributes: dict[str, Json] = {} if text else {"level": Level.LINE.value}
            baseline = usable(self.pages.context, self._where(line), lambda: self._baseline(line))
            if baseline and len(baseline) > 1:
                attributes["baseline"] = [[x, y] for x, y in baseline]
            carrier = strings[0] if len(strings) == 1 and not words else None
            self._add(line, text, attributes, self._score(line, carrier))
        for word in words:
            self._add(word, word.get("CONTENT") or None, {"level": Level.WORD.value}, self._score(word, word))

    def _is_word(self, string: ET.Element, line: ET.Element, count: int) -> bool:
        """Whether a String is there for itself, and not only to carry the text of its line."""
        if string.get("TAGREFS"):
            return True
        edges = [string.get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
        if None in edges:
            return child(string, "Shape") is not None
        return count > 1 or edges != [line.get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]

    def _add(self, element: ET.Element, text: str | None, attributes: dict[str, Json], score: float | None) -> None:
        identifier = element.get("ID")
        made = usable(
            self.pages.context,
            self._where(element),
            lambda: Annotation(
                id=from_xml_id(identifier) if identifier else uuid.uuid4().hex,
                shape=self._shape(element),
                label=next(self._tagged(element, "type"), None) or local(element),
                score=score,
                text=text,
                attributes=attributes,
                provenance=self._provenance(element),
            ),
        )
        if made is not None:
            self.found.append(made)

    def _where(self, element: ET.Element) -> str:
        return f"{self.path}, {local(element)} {element.get('ID', 'without ID')}"

    def _tagged(self, element: ET.Element, kind: str) -> Iterator[str]:
        for reference in element.get("TAGREFS", "").split():
            found, label = self.known.tags.get(reference, ("", ""))
            if label and (found == "confidence") == (kind == "confidence"):
                yield label

    def _provenance(self, element: ET.Element) -> Provenance | None:
        references = element.get("PROCESSINGREFS", "").split()
        return next((self.known.processings[each] for each in references if each in self.known.processings), None)

    def _score(self, element: ET.Element, carrier: ET.Element | None) -> float | None:
        said = None if carrier is None else carrier.get("WC")
        said = said or next(self._tagged(element, "confidence"), None)
        values = numbers(said or "")
        return values[0] if len(values) == 1 and 0 <= values[0] <= 1 else None

    def _baseline(self, line: ET.Element) -> tuple[Point, ...]:
        """Points of the line, or a single height in files before 4.2."""
        values = numbers(line.get("BASELINE", ""))
        if len(values) == 1:
            box = self._shape(line).bounds
            return ((box.x, values[0] * self.sy), (box.x2, values[0] * self.sy))
        return tuple((x * self.sx, y * self.sy) for x, y in parse_points(line.get("BASELINE", "")))

    def _shape(self, element: ET.Element) -> Shape:
        """The shape in pixels; what has no position itself lies around what it holds."""
        shape = child(element, "Shape")
        if shape is not None and len(shape):
            return _outlined(shape[0]).scaled(self.sx, self.sy)
        if element.get("HPOS") is not None:
            return _box(element).scaled(self.sx, self.sy)
        held = descendants(element, "String", "TextLine", *_BLOCKS)
        inner = [_box(each) for each in held if each.get("HPOS") is not None]
        if not inner:
            raise FormatError("it has no position.")
        return around(inner).scaled(self.sx, self.sy)


def _outlined(shape: ET.Element) -> Polygon:
    if local(shape) == "Polygon":
        return Polygon(parse_points(shape.get("POINTS", "")))
    x, y = _number(shape, "HPOS"), _number(shape, "VPOS")
    if local(shape) == "Circle":
        rx = ry = _number(shape, "RADIUS")
    else:
        rx, ry = _number(shape, "HLENGTH") / 2, _number(shape, "VLENGTH") / 2
    # ALTO turns counterclockwise, our y points down.
    turn = -math.radians(float(shape.get("ROTATION", 0)))
    steps = [2 * math.pi * i / _ROUND for i in range(_ROUND)]
    return Polygon(
        tuple(
            (
                x + rx * math.cos(step) * math.cos(turn) - ry * math.sin(step) * math.sin(turn),
                y + rx * math.cos(step) * math.sin(turn) + ry * math.sin(step) * math.cos(turn),
            )
            for step in steps
        )
    )


def _box(element: ET.Element) -> Box:
    return Box(*(_number(element, name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")))


def _number(element: ET.Element, name: str) -> float:
    return float(element.attrib[name])


def _is_made(element: ET.Element, what: str) -> bool:
    return element.get("ID", "").startswith(f"{MADE}{what}-")


def _line_text(line: ET.Element) -> str:
    """The text of a line; Strings stand apart where the file marks no spaces at all."""
    marked = child(line, "SP") is not None
    parts: list[str] = []
    for element in children(line, "String", "SP", "HYP"):
        if local(element) == "SP":
            parts.append(" ")
            continue
        if parts and not marked and local(element) == "String":
            parts.append(" ")
        parts.append(element.get("CONTENT", ""))
    return "".join(parts)


def _page(root: ET.Element, element: ET.Element, name: str) -> Page:
    values = [numbers(element.get(key, "")) for key in ("WIDTH", "HEIGHT")]
    width, height = (max(0, round(value[0])) if len(value) == 1 else 0 for value in values)
    source = child(child(root, "Description"), "sourceImageInformation")
    identifier = _text(source, "fileIdentifier") or name
    return Page(
        id=identifier, name=name, index=0, width=width, height=height, label=element.get("PRINTED_IMG_NR") or None
    )


def _image_name(root: ET.Element) -> str:
    return file_name(_text(child(child(root, "Description"), "sourceImageInformation"), "fileName"))


def _text(parent: ET.Element | None, name: str) -> str:
    found = child(parent, name)
    return (found.text if found is not None else None) or ""


def _tags(root: ET.Element) -> dict[str, tuple[str, str]]:
    return {
        tag.get("ID", ""): (tag.get("TYPE", ""), tag.get("LABEL", ""))
        for tags in children(root, "Tags")
        for tag in tags
    }


def _processings(root: ET.Element) -> dict[str, Provenance]:
    found = {}
    for step in descendants(root, "Processing"):
        provenance = _processed(step)
        if provenance is not None:
            found[step.get("ID", "")] = provenance
    return found


def _processed(step: ET.Element) -> Provenance | None:
    software = child(step, "processingSoftware")
    name, agency = _text(software, "softwareName"), _text(step, "processingAgency")
    if not name:
        return ByPerson(agency) if agency else None
    described = _text(software, "applicationDescription")
    weights = described.removeprefix("sha256:") if described.startswith("sha256:") else ""
    settings = _settings(_text(step, "processingStepSettings"))
    return ByModel(name, _text(software, "softwareVersion"), weights, settings)


def _settings(text: str) -> Mapping[str, Json]:
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return {"settings": text}
    return value if isinstance(value, dict) else {"settings": text}
