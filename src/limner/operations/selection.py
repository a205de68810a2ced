"""Which pages of a document are wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from limner.core.errors import UsageError

_PART = re.compile(r"(\d+)(?:\s*-\s*(\d+)?)?")


@dataclass(frozen=True, slots=True)
class PageSelection:
    """Page numbers as people write them, counted from 1: ``1-10,15`` or ``200-``."""

    #: First and last number of each part; None for no end.
    parts: tuple[tuple[int, int | None], ...]

    @classmethod
    def parse(cls, text: str) -> PageSelection:
        """Read a selection; raises `UsageError` naming the part that is wrong."""
        parts = []
        for part in text.split(","):
            match = _PART.fullmatch(part.strip())
            if match is None:
                raise UsageError(
                    f"{part.strip()!r} is no page or range of pages.", hint="Write for example 1-10,15 or 20-."
                )
            first, last = int(match[1]), int(match[2]) if match[2] else (None if "-" in part else int(match[1]))
            if first < 1 or (last is not None and last < first):
                raise UsageError(
                    f"{part.strip()!r} selects no page.", hint="Pages are counted from 1, the lower one first."
                )
            parts.append((first, last))
        return cls(tuple(parts))

    def __contains__(self, number: int) -> bool:
        """Whether the page of this number (from 1) is selected."""
        return any(first <= number and (last is None or number <= last) for first, last in self.parts)

    def __str__(self) -> str:
        return ",".join(f"{a}" if a == b else f"{a}-{b or ''}" for a, b in self.parts)
