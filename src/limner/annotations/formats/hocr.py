"""hOCR 1.2: one XHTML file a document, with zones, lines and words as nested elements.

The text of a line whose words are not known stands in one ``ocrx_word`` as large as the line: what
reads hOCR looks for words. Labels are ``x_label``, an extension that others pass over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar
from xml.sax.saxutils import escape, quoteattr

from limner import __version__
from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.markup import clean, numeral
from limner.annotations.formats.pixels import pixel_box
from limner.annotations.formats.protocol import Feature, OutputFile
from limner.annotations.formats.reading_order import Block, Line, baseline_of, blocks_of, is_rtl, outline
from limner.annotations.formats.zone_kinds import Kind, kind_of
from limner.annotations.page import Page
from limner.annotations.shapes import Box

_CLASSES = {
    Kind.IMAGE: "ocr_photo",
    Kind.DRAWING: "ocr_linedrawing",
    Kind.CHART: "ocr_linedrawing",
    Kind.MAP: "ocr_linedrawing",
    Kind.GRAPHIC: "ocr_image",
    Kind.TABLE: "ocr_table",
    Kind.SEPARATOR: "ocr_separator",
}
_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<title>{title}</title>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />
<meta name="ocr-system" content="limner {version}" />
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_line ocrx_word ocr_photo ocr_linedrawing ocr_image \
ocr_table ocr_separator ocrp_poly ocrp_wconf" />
</head>
<body>
"""


class Hocr:
    """One XHTML file a document."""

    name = "hocr"
    title = "hOCR"
    media_type = "application/xhtml+xml"
    per_page = False
    holds: ClassVar[frozenset[Feature]] = frozenset({Feature.POLYGON, Feature.SCORE, Feature.TEXT})

    def render(self, document: Document) -> Iterator[OutputFile]:
        """One file."""
        yield OutputFile("document.hocr", _file(document))


def _file(document: Document) -> Iterator[str]:
    yield _HEAD.format(title=escape(clean(document.title)), version=__version__)
    for number, annotated in enumerate(document.pages, 1):
        yield "\n".join(_Writer(annotated.page, number).lines(annotated)) + "\n"
    yield "</body>\n</html>\n"


@dataclass
class _Writer:
    """Makes one page; ids count through its elements."""

    page: Page
    number: int
    made: int = 0

    def lines(self, annotated: AnnotatedPage) -> Iterator[str]:
        """The page's element, line by line."""
        page = self.page
        properties = [f"image {_quoted(page.source or page.name)}", f"ppageno {page.index}"]
        if page.sized:
            properties.insert(1, f"bbox 0 0 {page.width} {page.height}")
        if page.label:
            properties.append(f"lpageno {_quoted(page.label)}")
        yield f"<div{_attributes('ocr_page', f'page_{self.number}', properties)}>"
        for block in blocks_of(annotated.annotations):
            yield from self._block(block)
        yield "</div>"

    def _block(self, block: Block) -> Iterator[str]:
        kind = "ocr_carea" if block.zone is None else _CLASSES.get(kind_of(block.zone.label), "ocr_carea")
        yield f"<div{self._element(kind, block.bounds, block.zone)}>"
        for line in block.lines:
            yield from self._line(line)
        if block.zone is not None and block.zone.text and not block.lines:
            for text in block.zone.text.split("\n"):
                yield f"<p>{escape(clean(text))}</p>"
        yield "</div>"

    def _line(self, line: Line) -> Iterator[str]:
        direction = ' dir="rtl"' if is_rtl(line.text) else ""
        yield f"<span{self._element('ocr_line', line.bounds, line.annotation)}{direction}>"
        for word in line.words:
            yield self._word(word.shape.bounds, word, word.text or "")
        if line.text and not line.words and line.annotation is not None:
            yield self._word(line.bounds, line.annotation, line.text)
        yield "</span>"

    def _word(self, bounds: Box, annotation: Annotation, text: str) -> str:
        shown = "<br />".join(escape(clean(part)) for part in text.split("\n"))
        properties = [_bbox(bounds, self.page), *_confidence(annotation)]
        return f"<span{_attributes('ocrx_word', self._id('ocrx_word'), properties)}>{shown}</span>"

    def _element(self, kind: str, bounds: Box, annotation: Annotation | None) -> str:
        properties = [_bbox(bounds, self.page)]
        if annotation is not None:
            properties += _properties(annotation, bounds)
            properties += _confidence(annotation)
        return _attributes(kind, self._id(kind), properties)

    def _id(self, kind: str) -> str:
        self.made += 1
        return f"{kind}_{self.number}_{self.made}"


def _properties(annotation: Annotation, bounds: Box) -> Iterator[str]:
    """Outline, baseline and label of a zone or line."""
    if not isinstance(annotation.shape, Box):
        ring = outline(annotation.shape).exterior
        yield "poly " + " ".join(str(round(value)) for point in ring for value in point)
    points = baseline_of(annotation)
    if points and points[0][0] != points[-1][0]:
        (x1, y1), (x2, y2) = points[0], points[-1]
        slope = (y2 - y1) / (x2 - x1)
        # Reckoned from the lower left corner of the line's box.
        yield f"baseline {numeral(slope)} {numeral(y1 + slope * (bounds.x - x1) - bounds.y2)}"
    yield f"x_label {_quoted(annotation.label)}"


def _confidence(annotation: Annotation) -> list[str]:
    return [] if annotation.score is None else [f"x_wconf {round(annotation.score * 100)}"]


def _bbox(bounds: Box, page: Page) -> str:
    edges = pixel_box(bounds, page) or tuple(max(0, round(edge)) for edge in bounds.corners)
    return "bbox " + " ".join(map(str, edges))


def _quoted(text: str) -> str:
    """A string within the ``title`` attribute, where a backslash escapes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _attributes(kind: str, identifier: str, properties: Iterable[str]) -> str:
    return f' class="{kind}" id="{identifier}" title={quoteattr(clean("; ".join(properties)))}'


HOCR = Hocr()
