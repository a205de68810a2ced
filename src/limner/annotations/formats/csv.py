"""CSV: a row for each annotation, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence

from limner.annotations.annotation import Annotation, ByModel, ByPerson
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import Feature, OutputFile
from limner.annotations.page import Page
from limner.annotations.serial import number

COLUMNS = (
    "page",
    "file",
    "page_width",
    "page_height",
    "id",
    "label",
    "score",
    "x",
    "y",
    "width",
    "height",
    "text",
    "attributes",
    "made_by",
    "error",
)


class Csv:
    """One file a document, a row an annotation, shapes as the boxes around them."""

    name = "csv"
    title = "CSV"
    media_type = "text/csv"
    per_page = False
    holds = frozenset({Feature.SCORE, Feature.TEXT, Feature.ATTRIBUTES, Feature.ERROR})

    def render(self, document: Document) -> Iterator[OutputFile]:
        """One file (RFC 4180); a page without annotations has one row without label."""
        yield OutputFile("annotations.csv", _chunks(document))


def _chunks(document: Document) -> Iterator[str]:
    yield _written([COLUMNS])
    for page in document.pages:
        yield _written(_rows(page))


def _written(rows: Iterator[Sequence[object]] | Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _rows(annotated: AnnotatedPage) -> Iterator[Sequence[object]]:
    for annotation in annotated.annotations:
        yield (*_page_cells(annotated.page), *_cells(annotation), annotated.error)
    if not annotated.annotations:
        yield (*_page_cells(annotated.page), *[None] * 10, annotated.error)


def _page_cells(page: Page) -> Sequence[object]:
    size = (page.width, page.height) if page.sized else (None, None)
    return (page.index + 1, page.name, *size)


def _cells(annotation: Annotation) -> Sequence[object]:
    box = annotation.shape.bounds
    attributes = json.dumps(dict(annotation.attributes), ensure_ascii=False) if annotation.attributes else None
    return (
        annotation.id,
        annotation.label,
        None if annotation.score is None else round(annotation.score, 5),
        *(number(value) for value in (box.x, box.y, box.width, box.height)),
        annotation.text,
        attributes,
        _maker(annotation),
    )


def _maker(annotation: Annotation) -> str | None:
    """The model with its version, or the person."""
    match annotation.provenance:
        case ByModel(name, version):
            return f"{name}@{version}"
        case ByPerson(name):
            return name
    return None


CSV = Csv()
