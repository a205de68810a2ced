"""The record of an annotation run: one line a page, written as pages are done.

Everything that is handed out is made from this file, so memory stays flat however long the document,
and a run that was interrupted goes on from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from limner.annotations.annotation import Json
from limner.annotations.document import AnnotatedPage
from limner.annotations.serial import annotated_page_from_plain, annotated_page_to_plain
from limner.core.errors import FormatError, UsageError


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a page stands in the file."""

    offset: int
    index: int
    failed: bool


class RunRecord:
    """The pages of one document in a file of JSON Lines, read back in document order.

    ``header`` says what the run was (source, model, parameters); it is the file's first line.
    Only an offset and an index a page are kept in memory.
    """

    def __init__(self, path: Path, header: Mapping[str, Json], *, resume: bool = False) -> None:
        self.path = path
        self._lines: dict[str, _Line] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        first = json.dumps({"limner": 1, **header}, ensure_ascii=False, sort_keys=True)
        if resume and path.exists():
            self._take_up(first)
        else:
            path.write_text(first + "\n", encoding="utf-8")
        self._file = path.open("ab")

    def _take_up(self, first: str) -> None:
        """Read the offsets of a record that is there; a last line cut short by a crash is dropped."""
        with self.path.open("rb+") as file:
            found = file.readline().decode(errors="replace").rstrip("\n")
            if found != first:
                raise UsageError(
                    f"{self.path.parent} holds a run with another source, model or parameters.",
                    hint="Choose another folder, or leave out --resume to begin anew.",
                )
            while line := file.readline():
                end = file.tell()
                if not line.endswith(b"\n"):
                    file.truncate(end - len(line))
                    break
                self._note(annotated_page_from_plain(_loaded(line, self.path)), end - len(line))

    def _note(self, page: AnnotatedPage, offset: int) -> None:
        self._lines[page.page.id] = _Line(offset, page.page.index, page.error is not None)

    def add(self, page: AnnotatedPage) -> None:
        """Write a page; it is on its way to the disk when this returns."""
        offset = self._file.tell()
        line = json.dumps(annotated_page_to_plain(page), ensure_ascii=False, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        self._note(page, offset)

    def done(self, page_id: str) -> bool:
        """Whether a page has been annotated (not failed)."""
        line = self._lines.get(page_id)
        return line is not None and not line.failed

    def keep_only(self, page_ids: Sequence[str]) -> None:
        """Forget pages that are no longer part of the run."""
        wanted = set(page_ids)
        self._lines = {page_id: line for page_id, line in self._lines.items() if page_id in wanted}

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[AnnotatedPage]:
        """The pages in document order; a page that was done again is there once, as it is now."""
        with self.path.open("rb") as file:
            for line in sorted(self._lines.values(), key=lambda line: line.index):
                file.seek(line.offset)
                yield annotated_page_from_plain(_loaded(file.readline(), self.path))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _loaded(line: bytes, path: Path) -> dict[str, Json]:
    try:
        plain = json.loads(line)
    except ValueError as error:
        raise FormatError(f"{path} holds a line that is no JSON: {line[:60]!r}…") from error
    if not isinstance(plain, dict):
        raise FormatError(f"{path} holds a line that is no page: {line[:60]!r}…")
    return plain
