"""JSON Lines: one page with its annotations a line, in the form of `limner.annotations.serial`; nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import Feature, OutputFile, ParseContext
from limner.annotations.formats.reading import json_object, read_each, usable, with_own_ids
from limner.annotations.serial import (
    annotated_page_from_plain,
    annotated_page_to_plain,
    annotation_from_plain,
)
from limner.core.errors import FormatError, LimnerError


class JsonLines:
    """One file a document, one line a page."""

    name = "jsonl"
    title = "JSON Lines"
    media_type = "application/x-ndjson"
    per_page = False
    holds = frozenset(Feature)

    def render(self, document: Document) -> Iterator[OutputFile]:
        """One file."""
        yield OutputFile("annotations.jsonl", (_line(page) for page in document.pages))

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """The pages; of a page with a bad annotation the others are kept."""
        return read_each(files, (".jsonl", ".ndjson"), self.title, context, partial(_read, context), numbered=True)


def _line(annotated: AnnotatedPage) -> str:
    return json.dumps(annotated_page_to_plain(annotated), ensure_ascii=False, separators=(",", ":")) + "\n"


def _read(context: ParseContext, path: str, text: str) -> Iterator[AnnotatedPage]:
    first: LimnerError | None = None
    fine = False
    # Only a line feed ends a line: str.splitlines would break at U+2028 inside a text.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            yield _page(json_object(where, line, ["page"]), where, context)
            fine = True
        except LimnerError as error:
            first = first or error
            context.problems.append(f"{where} was passed over: {error}")
    if not fine:
        raise FormatError(f"{path} holds no page as JSON Lines. {first or 'It is empty.'}")


def _page(plain: dict[str, Any], where: str, context: ParseContext) -> AnnotatedPage:
    try:
        return annotated_page_from_plain(plain)
    except LimnerError:
        return _rescued(plain, where, context)


def _rescued(plain: dict[str, Any], where: str, context: ParseContext) -> AnnotatedPage:
    """The page without the annotations that cannot be read."""
    entries = plain.pop("annotations", ())
    page = annotated_page_from_plain(plain)
    found = [
        usable(context, f"{where}, annotation {number}", annotation_from_plain, entry)
        for number, entry in enumerate(entries if isinstance(entries, list) else (), 1)
    ]
    return replace(page, annotations=with_own_ids(each for each in found if each))


JSONL = JsonLines()
