"""Results that were saved: annotated pages in a file of JSON Lines, or in a zip of such files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from limner.annotations.document import AnnotatedPage
from limner.client.answers import annotated_page


def pages_in(path: Path) -> Iterator[AnnotatedPage]:
    """The pages in a file of JSON Lines, or in each one of a zip; raises `FormatError`."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            yield from _pages(file)
        return
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith(".jsonl"):
                with archive.open(entry) as member:
                    yield from _pages(member)


def _pages(lines: Iterable[bytes]) -> Iterator[AnnotatedPage]:
    # Split at line feeds alone: text that was read from a page may hold other ends of lines.
    return (annotated_page(line.decode("utf-8", errors="replace")) for line in lines if line.strip())
