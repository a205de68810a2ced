"""PAGE XML 2019-07-15, one file a page: regions, lines and words with their outlines and text.

Zones, lines and words are told apart and put into one another by `reading_order`. The label chooses
the element of a region and stands in ``custom`` as ``structure {type:…;}``, the way Transkribus and
eScriptorium write it. Scores are ``conf`` of the text, or of the outline where there is none. The
schema allows whole, non-negative coordinates only. Regions that stand for no annotation have an id
beginning with ``limner-``. Reading is in `page_reading`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar
from xml.etree import ElementTree as ET

from limner import __version__
from limner.annotations.annotation import Annotation, ByModel
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.imported_pages import PageMaker
from limner.annotations.formats.markup import MADE, node, score_numeral, serialise, xml_id
from limner.annotations.formats.naming import page_stem
from limner.annotations.formats.page_reading import PAGE_ID, read_file
from limner.annotations.formats.protocol import Feature, OutputFile, ParseContext
from limner.annotations.formats.reading import read_each
from limner.annotations.formats.reading_order import Block, Line, baseline_of, blocks_of, is_rtl, outline
from limner.annotations.formats.zone_kinds import Kind, kind_of
from limner.annotations.shapes import Box, Point, Polygon, Shape
from limner.core.errors import ShapeError

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
#: A format knows no clock: this stands where the document does not say when it was made.
_UNDATED = "1970-01-01T00:00:00Z"
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_ELEMENTS = {
    Kind.TEXT: "TextRegion",
    Kind.IMAGE: "ImageRegion",
    Kind.DRAWING: "LineDrawingRegion",
    Kind.GRAPHIC: "GraphicRegion",
    Kind.TABLE: "TableRegion",
    Kind.CHART: "ChartRegion",
    Kind.MAP: "MapRegion",
    Kind.SEPARATOR: "SeparatorRegion",
    Kind.MATHS: "MathsRegion",
    Kind.CHEMISTRY: "ChemRegion",
    Kind.MUSIC: "MusicRegion",
    Kind.ADVERT: "AdvertRegion",
    Kind.NOISE: "NoiseRegion",
    Kind.OTHER: "CustomRegion",
}
#: The types of text that the schema knows.
_TEXT_TYPES = re.compile(
    "paragraph|heading|caption|header|footer|page-number|drop-capital|credit|floating|signature-mark|catch-word|"
    "marginalia|footnote|footnote-continued|endnote|TOC-entry|list-label|other"
)


class PageXml:
    """One XML file a page; holes are filled, masks become their outlines."""

    name = "page"
    title = "PAGE XML"
    media_type = "application/xml"
    per_page = True
    holds: ClassVar[frozenset[Feature]] = frozenset({Feature.POLYGON, Feature.SCORE, Feature.TEXT})

    def render(self, document: Document) -> Iterator[OutputFile]:
        """A file for each page, also for those without annotations."""
        for annotated in document.pages:
            yield OutputFile(f"page/{page_stem(annotated.page)}.xml", (_Writer(document, annotated).file(),))

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """The pages of files in PAGE 2010 to 2019."""
        pages = PageMaker(context)
        return read_each(files, (".xml",), self.title, context, lambda path, text: read_file(path, text, pages))


@dataclass
class _Writer:
    """Makes one file."""

    document: Document
    annotated: AnnotatedPage
    made: int = 0

    def file(self) -> str:
        """The whole file."""
        page = self.annotated.page
        root = ET.Element(
            "PcGts",
            {
                "xmlns": NAMESPACE,
                "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
                "xsi:schemaLocation": f"{NAMESPACE} {NAMESPACE}/pagecontent.xsd",
                "pcGtsId": f"{PAGE_ID}{xml_id(page.id)}",
            },
        )
        self._metadata(root)
        size = {"imageWidth": str(page.width), "imageHeight": str(page.height)}
        outer = node(root, "Page", {"imageFilename": page.name, **size})
        regions = [self._region(block) for block in blocks_of(self.annotated.annotations)]
        if regions:
            group = node(node(outer, "ReadingOrder"), "OrderedGroup", {"id": f"{MADE}order"})
            for index, region in enumerate(regions):
                node(group, "RegionRefIndexed", {"index": str(index), "regionRef": region.attrib["id"]})
        outer.extend(regions)
        return serialise(root)

    def _metadata(self, root: ET.Element) -> None:
        created = self.document.metadata.get("created")
        date = created if isinstance(created, str) and _DATE.fullmatch(created) else _UNDATED
        metadata = node(root, "Metadata")
        node(metadata, "Creator", text=f"Limner {__version__}")
        node(metadata, "Created", text=date)
        node(metadata, "LastChange", text=date)
        makers = (annotation.provenance for annotation in self.annotated.annotations)
        models = {(maker.name, maker.version) for maker in makers if isinstance(maker, ByModel)}
        for name, version in sorted(models):
            node(metadata, "MetadataItem", {"type": "processingStep", "name": name, "value": version})

    def _region(self, block: Block) -> ET.Element:
        """A zone; where it holds text and is no text, with a region of text in it."""
        has_text = bool(block.lines or (block.zone is not None and block.zone.text))
        if block.zone is None:
            region = inner = self._made_region(block.bounds)
        else:
            region = inner = _element_of(block.zone, has_text)
            if has_text and region.tag != "TextRegion":
                inner = self._made_region(block.bounds)
                region.append(inner)
        for line in block.lines:
            self._line(inner, line)
        if block.zone is not None:
            _text(inner, block.zone.text, None)
        return region

    def _made_region(self, bounds: Box) -> ET.Element:
        region = ET.Element("TextRegion", {"id": self._made("around")})
        node(region, "Coords", {"points": _points(bounds)})
        return region

    def _line(self, parent: ET.Element, line: Line) -> None:
        direction = {"readingDirection": "right-to-left" if is_rtl(line.text) else None}
        if line.annotation is None:
            element = node(parent, "TextLine", {"id": self._made("words"), **direction})
            node(element, "Coords", {"points": _points(line.bounds)})
        else:
            element = node(parent, "TextLine", {**_attributes(line.annotation), **direction})
            _coords(element, line.annotation, scored=line.annotation.text is None)
            baseline = baseline_of(line.annotation)
            if baseline:
                node(element, "Baseline", {"points": _written(_whole(point) for point in baseline)})
        for word in line.words:
            inner = node(element, "Word", _attributes(word))
            _coords(inner, word, scored=word.text is None)
            _text(inner, word.text, word.score)
        if line.annotation is not None:
            _text(element, line.annotation.text, line.annotation.score)

    def _made(self, what: str) -> str:
        self.made += 1
        return f"{MADE}{what}-{self.made}"


def _element_of(zone: Annotation, has_text: bool) -> ET.Element:
    kind = kind_of(zone.label)
    name = "TextRegion" if kind is Kind.OTHER and has_text else _ELEMENTS[kind]
    is_type = name == "CustomRegion" or (name == "TextRegion" and bool(_TEXT_TYPES.fullmatch(zone.label)))
    # A root for a moment: `node` cleans what XML cannot hold.
    region = node(ET.Element("Page"), name, {**_attributes(zone), "type": zone.label if is_type else None})
    _coords(region, zone, scored=True)
    return region


def _attributes(annotation: Annotation) -> dict[str, str | None]:
    return {"id": xml_id(annotation.id), "custom": f"structure {{type:{_escaped(annotation.label)};}}"}


def _escaped(value: str) -> str:
    """A value for ``custom``, where some characters part values, as Transkribus escapes them."""
    return re.sub(r"[\\;:{}\s]", lambda match: match[0] if match[0] == " " else f"\\u{ord(match[0]):04x}", value)


def _coords(element: ET.Element, annotation: Annotation, *, scored: bool) -> None:
    score = annotation.score if scored else None
    conf = None if score is None else score_numeral(score)
    node(element, "Coords", {"points": _points(annotation.shape), "conf": conf})


def _text(element: ET.Element, text: str | None, score: float | None) -> None:
    if text is not None:
        conf = None if score is None else score_numeral(score)
        node(node(element, "TextEquiv", {"conf": conf}), "Unicode", text=text)


def _points(shape: Shape) -> str:
    """The outline in whole pixels; what would lose its area becomes the box around it."""
    if not isinstance(shape, Box):
        ring = [point for point, _ in groupby(_whole(point) for point in outline(shape).exterior)]
        try:
            return _written((int(x), int(y)) for x, y in Polygon(tuple(ring)).exterior)
        except ShapeError:
            return _points(shape.bounds)
    (x1, x2), (y1, y2) = _span(shape.x, shape.x2), _span(shape.y, shape.y2)
    return _written([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])


def _span(start: float, end: float) -> tuple[int, int]:
    (first, last) = _whole((start, end))
    return (first, last) if first < last else (max(0, math.floor(start)), max(0, math.floor(start)) + 1)


def _whole(point: Point) -> tuple[int, int]:
    x, y = (max(0, math.floor(value + 0.5)) for value in point)
    return x, y


def _written(points: Iterable[tuple[int, int]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


PAGE = PageXml()
