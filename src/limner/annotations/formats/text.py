"""Plain text: the lines of a document in reading order.

A line feed ends each line, an empty line parts zones, and a form feed (U+000C) ends each page, also
one without text: part n of the file, cut at form feeds, is page n.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import Feature, OutputFile
from limner.annotations.formats.reading_order import Block, blocks_of

#: What would be taken for the end of a page, or cannot be shown at all.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class PlainText:
    """One text file a document."""

    name = "text"
    title = "Plain text"
    media_type = "text/plain"
    per_page = False
    holds: ClassVar[frozenset[Feature]] = frozenset({Feature.TEXT})

    def render(self, document: Document) -> Iterator[OutputFile]:
        """One file."""
        yield OutputFile("text.txt", (f"{page_text(page)}\f" for page in document.pages))


def page_text(annotated: AnnotatedPage) -> str:
    """The text of one page; ends with a line feed where there is any."""
    return "\n".join(filter(None, map(_block_text, blocks_of(annotated.annotations))))


def _block_text(block: Block) -> str:
    """The lines of a zone; its own text where none of its lines is known."""
    texts = [line.text for line in block.lines] or [(block.zone.text if block.zone else None) or ""]
    return "".join(f"{_shown(text)}\n" for text in texts if text)


def _shown(text: str) -> str:
    return _CONTROLS.sub(" ", re.sub("\r\n?", "\n", text)).strip("\n")


TEXT = PlainText()
