"""Colours of labels: the same for a name wherever and whenever it is drawn."""

from __future__ import annotations

import zlib
from typing import TypeAlias

#: Red, green, blue, 0 to 255.
Colour: TypeAlias = tuple[int, int, int]

#: Ten colours that stay apart for the common forms of colour blindness (after Okabe and Ito, and
#: Tol's "bright"), dark enough for parchment and light enough for black.
PALETTE: tuple[Colour, ...] = (
    (40, 70, 184),
    (213, 94, 0),
    (0, 133, 102),
    (170, 51, 119),
    (0, 136, 204),
    (196, 142, 0),
    (140, 86, 200),
    (204, 51, 68),
    (96, 125, 30),
    (120, 98, 80),
)

#: Labels that Limner's own models give, spread over the palette by hand so that none share a colour.
_KNOWN = ("illustration", "initial", "text", "margin", "line", "running-title", "stamp", "table", "music", "numbering")


def colour_of(label: str) -> Colour:
    """The colour of a label; unknown names are spread by their CRC-32, which never changes."""
    if label in _KNOWN:
        return PALETTE[_KNOWN.index(label)]
    return PALETTE[zlib.crc32(label.encode()) % len(PALETTE)]
