"""The text file of extractorAPI, as its clients (EiDA, VHS) read it.

A line ``<n> <file name>`` for each image, n counted from 1, and under it a line ``<x> <y> <width> <height>`` in
whole pixels for each detection. An image without any keeps its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.pixels import pixel_box
from limner.annotations.formats.protocol import Feature, OutputFile, ParseContext
from limner.annotations.formats.reading import known_size, read_each, usable
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import FormatError

#: The format names no labels; what is read gets this one.
LABEL = "region"
_DETECTION = re.compile(r"\s*(-?\d+)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)\s*")
_BREAKS = re.compile(r"[\r\n]+")
_IMAGE = re.compile(r"\s*(\d{1,9})\s+(\S.*?)\s*")


class Extractor:
    """One text file a document: file names and boxes."""

    name = "extractor"
    title = "extractorAPI text"
    media_type = "text/plain"
    per_page = False
    holds: frozenset[Feature] = frozenset()

    def render(self, document: Document) -> Iterator[OutputFile]:
        """One file; boxes are rounded as `pixel_box` does it."""
        yield OutputFile("extractor.txt", (line for page in document.pages for line in _lines(page)))

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """The pages; each detection gets the label ``region``."""
        read = partial(_read, context)
        return read_each(files, (".txt",), self.title, context, read, numbered=True)


def _lines(annotated: AnnotatedPage) -> Iterator[str]:
    page = annotated.page
    yield f"{page.index + 1} {_BREAKS.sub(' ', page.name)}\n"
    for annotation in annotated.annotations:
        edges = pixel_box(annotation.shape.bounds, page)
        if edges:
            left, top, right, bottom = edges
            yield f"{left} {top} {right - left} {bottom - top}\n"


@dataclass
class _Image:
    """A line that names an image, and where its detections are gathered."""

    index: int
    name: str
    found: list[Annotation] = field(default_factory=list)


def _read(context: ParseContext, path: str, text: str) -> Iterator[AnnotatedPage]:
    image: _Image | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if box := _DETECTION.fullmatch(line):
            if image is None:
                raise FormatError(f"{path}, line {number}: a detection stands before the first image.")
            _add(image, box, f"{path}, line {number}", context)
        elif named := _IMAGE.fullmatch(line):
            if image:
                yield _page(image, context)
            image = _Image(max(int(named[1]) - 1, 0), named[2])
        elif image is None:
            raise FormatError(f"{path}, line {number}: neither “n file name” nor “x y width height”.")
        else:
            context.problems.append(f"{path}, line {number} was passed over: it names neither an image nor a box.")
    if image:
        yield _page(image, context)


def _add(image: _Image, match: re.Match[str], where: str, context: ParseContext) -> None:
    box = usable(context, where, Box, *map(int, match.groups()))
    if box:
        image.found.append(Annotation(id=str(len(image.found) + 1), shape=box, label=LABEL))


def _page(image: _Image, context: ParseContext) -> AnnotatedPage:
    width, height = known_size(context, image.name, None, None)
    page = Page(id=image.name, name=image.name, index=image.index, width=width, height=height)
    return AnnotatedPage(page, tuple(image.found))


EXTRACTOR = Extractor()
