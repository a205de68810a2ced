"""Pascal VOC: an XML file of boxes for each image.

The devkit counts pixels from 1 and includes both ends: ``xmin`` is the first column of pixels inside the box, ``xmax``
the last. The box from column 0 up to, not including, column 10 has ``xmin`` 1 and ``xmax`` 10. So it is written
and read here: x = xmin - 1, width = xmax - xmin + 1.

A box whose ``xmin`` equals its ``xmax`` would be a pixel wide. Labelling tools do not follow the devkit in this and
leave such a box after a click without a drag; it is one pixel in files that we wrote, and elsewhere it is
reported as having no area.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.naming import Stems, image_name
from limner.annotations.formats.pixels import pixel_box
from limner.annotations.formats.protocol import Feature, OutputFile, ParseContext
from limner.annotations.formats.reading import known_size, read_each, usable
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import FormatError, ShapeError

#: What stands in ``source/annotation`` of files that keep to the devkit down to single pixels.
_OURS = "Limner"
#: Attributes that VOC has elements for, and what its tools expect where nobody said.
_ELEMENTS: Mapping[str, Json] = {"pose": "Unspecified", "truncated": 0, "difficult": 0, "occluded": None}
#: Characters that XML 1.0 has no way to write.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Voc:
    """One XML file a page: boxes, with attributes."""

    name = "voc"
    title = "Pascal VOC"
    media_type = "application/xml"
    per_page = True
    holds = frozenset({Feature.ATTRIBUTES})

    def render(self, document: Document) -> Iterator[OutputFile]:
        """A file for each page that did not fail; boxes are rounded as `pixel_box` does it."""
        stems = Stems()
        for page in document.pages:
            if page.error is None:
                yield OutputFile(f"{self.name}/{stems.of(page.page)}.xml", (_xml(page),))

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """A page for each file."""
        return read_each(files, (".xml",), self.title, context, partial(_read, context))


def _xml(annotated: AnnotatedPage) -> str:
    page = annotated.page
    root = ET.Element("annotation")
    _add(root, "folder", "")
    _add(root, "filename", page.name)
    source = _add(root, "source")
    _add(source, "database", "Unknown")
    _add(source, "annotation", _OURS)
    size = _add(root, "size")
    for tag, value in (("width", page.width), ("height", page.height), ("depth", 3)):
        _add(size, tag, value)
    _add(root, "segmented", 0)
    for annotation in annotated.annotations:
        edges = pixel_box(annotation.shape.bounds, page)
        if edges:
            _add_object(root, annotation, edges)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _add(parent: ET.Element, tag: str, text: str | int | None = None) -> ET.Element:
    child = ET.SubElement(parent, tag)
    child.text = None if text is None else _FORBIDDEN.sub("\ufffd", str(text))
    return child


def _add_object(root: ET.Element, annotation: Annotation, edges: tuple[int, int, int, int]) -> None:
    thing = _add(root, "object")
    _add(thing, "name", annotation.label)
    others = dict(annotation.attributes)
    for tag, default in _ELEMENTS.items():
        value = others.pop(tag, default)
        if value is not None:
            _add(thing, tag, _to_text(value))
    left, top, right, bottom = edges
    box = _add(thing, "bndbox")
    for tag, edge in (("xmin", left + 1), ("ymin", top + 1), ("xmax", right), ("ymax", bottom)):
        _add(box, tag, edge)
    if others:
        # CVAT's way to keep what VOC has no elements for.
        attributes = _add(thing, "attributes")
        for name, value in others.items():
            attribute = _add(attributes, "attribute")
            _add(attribute, "name", name)
            _add(attribute, "value", _to_text(value))


def _to_text(value: Json) -> str:
    """A value as text; a text stands as it is unless it would be read as something else or XML cannot hold it."""
    if isinstance(value, str) and _from_text(value) == value and not _FORBIDDEN.search(value) and "\r" not in value:
        return value
    return json.dumps(value)


def _from_text(text: str) -> Json:
    try:
        value: Json = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no value in JSON.")


def _read(context: ParseContext, path: str, text: str) -> Iterator[AnnotatedPage]:
    root = _root(path, text)
    name = (root.findtext("filename") or "").strip() or image_name(PurePosixPath(path).stem, context.size_of)[0]
    width, height = known_size(
        context, name, _number(root.findtext("size/width")), _number(root.findtext("size/height"))
    )
    ours = root.findtext("source/annotation") == _OURS
    found = (
        usable(context, f"{path}, object {place} ({thing.findtext('name')})", _annotation, thing, str(place), ours)
        for place, thing in enumerate(root.iterfind("object"), 1)
    )
    page = Page(id=name, name=name, index=0, width=width, height=height)
    yield AnnotatedPage(page, tuple(annotation for annotation in found if annotation))


def _root(path: str, text: str) -> ET.Element:
    try:
        root: ET.Element = fromstring(text)
    except (ET.ParseError, DefusedXmlException, ValueError) as error:
        raise FormatError(f"{path} is no XML that can be read: {error}.") from error
    if root.tag != "annotation":
        raise FormatError(f"{path} is no Pascal VOC file: it begins with <{root.tag}>, not with <annotation>.")
    return root


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _annotation(thing: ET.Element, name: str, ours: bool) -> Annotation:
    left, top, right, bottom = (_edge(thing, tag) for tag in ("xmin", "ymin", "xmax", "ymax"))
    least = 0 if ours else 1
    if right - left < least or bottom - top < least:
        raise ShapeError(f"it has no area: its corners are {left:g}, {top:g} and {right:g}, {bottom:g}.")
    return Annotation(
        id=name,
        shape=Box(left - 1, top - 1, right - left + 1, bottom - top + 1),
        label=(thing.findtext("name") or "").strip(),
        attributes=dict(_attributes(thing)),
    )


def _edge(thing: ET.Element, tag: str) -> float:
    text = thing.findtext(f"bndbox/{tag}")
    if text is None:
        raise FormatError(f"it lacks {tag!r}.")
    return float(text)


def _attributes(thing: ET.Element) -> Iterator[tuple[str, Json]]:
    for tag in _ELEMENTS:
        text = thing.findtext(tag)
        if text is not None:
            yield tag, _from_text(text)
    for attribute in thing.iterfind("attributes/attribute"):
        name = attribute.findtext("name")
        if name:
            yield name, _from_text(attribute.findtext("value") or "")


VOC = Voc()
