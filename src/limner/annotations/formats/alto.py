"""ALTO 4.4, one file a page: zones as blocks, lines and words of text, labels as tags.

Zones, lines and words are told apart and put into one another by `reading_order`. A zone becomes a
TextBlock, an Illustration, a GraphicalElement or a ComposedBlock, by its label and by whether it
holds lines. Labels are OtherTags; so are scores that have no attribute of their own (all but those
of Strings). Blocks and lines that stand for no annotation have an ID beginning with ``limner-``.
Reading is in `alto_reading`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from xml.etree import ElementTree as ET

from limner import __version__
from limner.annotations.annotation import Annotation, ByModel, ByPerson, Provenance
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.alto_reading import read_file
from limner.annotations.formats.imported_pages import PageMaker
from limner.annotations.formats.markup import MADE, node, numeral, point_list, score_numeral, serialise, xml_id
from limner.annotations.formats.naming import page_stem
from limner.annotations.formats.protocol import Feature, OutputFile, ParseContext
from limner.annotations.formats.reading import read_each
from limner.annotations.formats.reading_order import Block, Line, baseline_of, blocks_of, is_rtl, outline
from limner.annotations.formats.zone_kinds import Kind, kind_of
from limner.annotations.page import Page
from limner.annotations.serial import provenance_to_plain
from limner.annotations.shapes import Box

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"
_PICTURES = frozenset({Kind.IMAGE, Kind.DRAWING, Kind.CHART, Kind.MAP})
_GRAPHICS = frozenset({Kind.GRAPHIC, Kind.SEPARATOR, Kind.NOISE})


class Alto:
    """One XML file a page; holes are filled, masks become their outlines."""

    name = "alto"
    title = "ALTO"
    media_type = "application/xml"
    per_page = True
    holds: ClassVar[frozenset[Feature]] = frozenset({Feature.POLYGON, Feature.SCORE, Feature.TEXT, Feature.PROVENANCE})

    def render(self, document: Document) -> Iterator[OutputFile]:
        """A file for each page, also for those without annotations."""
        for annotated in document.pages:
            yield OutputFile(f"alto/{page_stem(annotated.page)}.xml", (_Writer(document, annotated).file(),))

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """The pages of files in ALTO 1 to 4, in pixels."""
        pages = PageMaker(context)
        return read_each(files, (".xml",), self.title, context, lambda path, text: read_file(path, text, pages))


@dataclass
class _Writer:
    """Makes one file; tags and processings are gathered while the layout is made."""

    document: Document
    annotated: AnnotatedPage
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    processings: dict[str, tuple[str, Provenance]] = field(default_factory=dict)
    made: int = 0

    def file(self) -> str:
        """The whole file."""
        root = ET.Element(
            "alto",
            {
                "xmlns": NAMESPACE,
                "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
                "xsi:schemaLocation": f"{NAMESPACE} {_SCHEMA}",
                "SCHEMAVERSION": "4.4",
            },
        )
        layout = self._layout()
        root.append(self._description())
        if self.tags:
            tags = node(root, "Tags")
            for (kind, label), identifier in self.tags.items():
                node(tags, "OtherTag", {"ID": identifier, "TYPE": kind, "LABEL": label})
        root.append(layout)
        return serialise(root)

    def _description(self) -> ET.Element:
        page, description = self.annotated.page, ET.Element("Description")
        node(description, "MeasurementUnit", text="pixel")
        source = node(description, "sourceImageInformation")
        node(source, "fileName", text=page.name)
        node(source, "fileIdentifier", text=page.id)
        node(source, "documentIdentifier", text=self.document.id)
        _processing(description, f"{MADE}writer", None)
        for identifier, provenance in self.processings.values():
            _processing(description, identifier, provenance)
        return description

    def _layout(self) -> ET.Element:
        page, layout = self.annotated.page, ET.Element("Layout")
        size = _size(page)
        attributes = {"ID": f"{MADE}page", "PHYSICAL_IMG_NR": str(page.index + 1), "PRINTED_IMG_NR": page.label}
        outer = node(layout, "Page", {**attributes, **size})
        space = node(outer, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size} if size else {})
        for block in blocks_of(self.annotated.annotations):
            self._block(space, block)
        return layout

    def _block(self, parent: ET.Element, block: Block) -> None:
        if block.zone is None:
            made = node(parent, "TextBlock", {"ID": self._made("around"), **_edges(block.bounds)})
            self._lines(made, block.lines)
            return
        kind = kind_of(block.zone.label)
        name = _block_name(kind, bool(block.lines or block.zone.text))
        typed = {"TYPE": block.zone.label} if name in ("Illustration", "ComposedBlock") else {}
        element = node(parent, name, {**self._attributes(block.zone), **typed})
        _shape(element, block.zone)
        if name == "ComposedBlock" and (block.lines or block.zone.text):
            element = node(element, "TextBlock", {"ID": self._made("around"), **_edges(block.bounds)})
        self._lines(element, block.lines)
        if block.zone.text and not block.lines:
            self._own_text(element, block.zone.text)

    def _own_text(self, parent: ET.Element, text: str) -> None:
        """The text of a zone whose lines are not known."""
        for part in text.split("\n"):
            line = node(parent, "TextLine", {"ID": self._made("text")})
            node(line, "String", {"CONTENT": part})

    def _lines(self, parent: ET.Element, lines: tuple[Line, ...]) -> None:
        for line in lines:
            if line.annotation is None:
                element = node(parent, "TextLine", {"ID": self._made("words"), **_edges(line.bounds)})
            else:
                element = node(parent, "TextLine", self._line_attributes(line, line.annotation))
                _shape(element, line.annotation)
            self._strings(element, line)

    def _line_attributes(self, line: Line, annotation: Annotation) -> dict[str, str | None]:
        baseline = baseline_of(annotation)
        return {
            **self._attributes(annotation, score=bool(line.words)),
            "BASELINE": point_list(baseline) if baseline else None,
            "BASEDIRECTION": "rtl" if is_rtl(line.text) else None,
        }

    def _strings(self, parent: ET.Element, line: Line) -> None:
        for number, word in enumerate(line.words):
            if number:
                node(parent, "SP")
            attributes = {"CONTENT": word.text or "", "WC": _confidence(word)}
            _shape(node(parent, "String", {**self._attributes(word, score=False), **attributes}), word)
        if line.annotation is not None and not line.words:
            content = {"CONTENT": line.annotation.text or "", "WC": _confidence(line.annotation)}
            node(parent, "String", {**content, **_edges(line.bounds)})

    def _attributes(self, annotation: Annotation, *, score: bool = True) -> dict[str, str | None]:
        references = [self._tag("type", annotation.label)]
        if score and annotation.score is not None:
            references.append(self._tag("confidence", score_numeral(annotation.score)))
        return {
            "ID": xml_id(annotation.id),
            "TAGREFS": " ".join(references),
            "PROCESSINGREFS": self._processed(annotation.provenance),
            **_edges(annotation.shape.bounds),
        }

    def _tag(self, kind: str, label: str) -> str:
        return self.tags.setdefault((kind, label), f"{MADE}tag-{len(self.tags) + 1}")

    def _processed(self, provenance: Provenance | None) -> str | None:
        if provenance is None:
            return None
        key = json.dumps(provenance_to_plain(provenance), sort_keys=True)
        return self.processings.setdefault(key, (f"{MADE}by-{len(self.processings) + 1}", provenance))[0]

    def _made(self, what: str) -> str:
        self.made += 1
        return f"{MADE}{what}-{self.made}"


def _processing(parent: ET.Element, identifier: str, provenance: Provenance | None) -> None:
    """What made an annotation; for None, what wrote the file."""
    step = node(parent, "Processing", {"ID": identifier})
    if isinstance(provenance, ByPerson):
        node(step, "processingCategory", text="contentModification")
        node(step, "processingAgency", text=provenance.name)
        return
    node(step, "processingCategory", text="contentGeneration" if provenance else "other")
    if isinstance(provenance, ByModel) and provenance.parameters:
        node(step, "processingStepSettings", text=json.dumps(dict(provenance.parameters), ensure_ascii=False))
    software = node(step, "processingSoftware")
    node(software, "softwareName", text=provenance.name if provenance else "Limner")
    node(software, "softwareVersion", text=provenance.version if provenance else __version__)
    if provenance and provenance.weights:
        node(software, "applicationDescription", text=f"sha256:{provenance.weights}")


def _block_name(kind: Kind, has_text: bool) -> str:
    if kind is Kind.TEXT or (kind is Kind.OTHER and has_text):
        return "TextBlock"
    if has_text:
        return "ComposedBlock"
    if kind in _PICTURES:
        return "Illustration"
    return "GraphicalElement" if kind in _GRAPHICS else "ComposedBlock"


def _size(page: Page) -> dict[str, str]:
    return {"WIDTH": str(page.width), "HEIGHT": str(page.height)} if page.sized else {}


def _edges(box: Box) -> dict[str, str]:
    return {
        "HPOS": numeral(box.x),
        "VPOS": numeral(box.y),
        "WIDTH": numeral(box.width),
        "HEIGHT": numeral(box.height),
    }


def _shape(element: ET.Element, annotation: Annotation) -> None:
    """The outline of what is no box."""
    if not isinstance(annotation.shape, Box):
        points = point_list(outline(annotation.shape).exterior)
        element.insert(0, shape := ET.Element("Shape"))
        node(shape, "Polygon", {"POINTS": points})


def _confidence(annotation: Annotation) -> str | None:
    return None if annotation.score is None else score_numeral(annotation.score)


ALTO = Alto()
