"""Parts of images and canvases: IIIF regions and media fragments."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from limner.annotations.shapes import Box

_NUMBER = r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*"
_FOUR = re.compile(",".join([_NUMBER] * 4))
_FRAGMENT = re.compile(r"(?:^|[#&?])xywh=(?:(pixel|percent|pct):)?([^&]*)")


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle, in pixels or in percent of the whole."""

    #: Left edge.
    x: float
    #: Top edge.
    y: float
    #: Extent to the right, above zero.
    width: float
    #: Extent downwards, above zero.
    height: float
    #: Whether these are percent of the whole.
    percent: bool = False

    def within(self, width: float, height: float) -> Region:
        """The same in pixels of a whole of some size."""
        if not self.percent:
            return self
        sx, sy = width / 100, height / 100
        return Region(self.x * sx, self.y * sy, self.width * sx, self.height * sy)

    def clipped(self, width: int, height: int) -> tuple[int, int, int, int] | None:
        """Left, top, width and height in whole pixels of an image; None where it lies outside."""
        part = self.within(width, height)
        x, y = math.floor(part.x), math.floor(part.y)
        w, h = min(round(part.x + part.width), width) - x, min(round(part.y + part.height), height) - y
        return (x, y, w, h) if w > 0 and h > 0 else None

    def box(self, width: float, height: float) -> Box | None:
        """The same as a box on a canvas of some size; None where percent are of an unknown size."""
        part = self.within(width, height)
        return Box(part.x, part.y, part.width, part.height) if part.width > 0 and part.height > 0 else None


def parse_region(text: str) -> Region | None:
    """The region of an image request (``x,y,w,h``, ``pct:x,y,w,h``); None where it is none."""
    text = text.removeprefix("xywh=")  # as some manifests have it
    percent, text = text.startswith("pct:"), text.removeprefix("pct:")
    return _four_numbers(text, percent=percent)


def parse_fragment(text: str) -> Region | None:
    """The region in a media fragment or an address with one (``…#xywh=percent:x,y,w,h``)."""
    found = _FRAGMENT.search(text)
    return _four_numbers(found[2], percent=found[1] in {"percent", "pct"}) if found else None


def has_fragment(text: str) -> bool:
    """Whether an address names a part of a canvas or image."""
    return _FRAGMENT.search(text) is not None


def _four_numbers(text: str, *, percent: bool) -> Region | None:
    """Four numbers with commas between, when they have an area."""
    found = _FOUR.fullmatch(text)
    if not found:
        return None
    x, y, w, h = map(float, found.groups())
    sensible = all(map(math.isfinite, (x, y, w, h))) and w > 0 and h > 0 and max(x, y, w, h) < 1e9
    return Region(x, y, w, h, percent) if sensible else None
