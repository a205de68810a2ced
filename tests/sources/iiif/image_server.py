"""What the loopback server's Image API can do, and how it makes its images."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

CONTEXTS = {
    1: "http://library.stanford.edu/iiif/image-api/1.1/context.json",
    2: "http://iiif.io/api/image/2/context.json",
    3: "http://iiif.io/api/image/3/context.json",
}


class BadRequestError(Exception):
    """A request that a server of this level would refuse."""


@dataclass(frozen=True)
class Ability:
    """What the Image API of the server can do, and what it tells of it."""

    api: int = 3
    level: int = 2
    #: Longest side it hands out; None for any.
    max_width: int | None = None
    #: Listed sizes, as longer sides.
    listed: tuple[int, ...] = ()

    @property
    def quality(self) -> str:
        return "native" if self.api == 1 else "default"

    def profile(self) -> Any:
        if self.api == 1:
            return f"http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level{self.level}"
        if self.api == 3:
            return f"level{self.level}"
        limits = {"maxWidth": self.max_width} if self.max_width else {}
        return [f"http://iiif.io/api/image/2/level{self.level}.json", limits]

    def listed_sizes(self, width: int, height: int) -> list[tuple[int, int]]:
        scales = [side / max(width, height) for side in self.listed]
        return [(max(1, round(width * s)), max(1, round(height * s))) for s in scales if s <= 1]

    def sized(self, text: str, part: tuple[int, int], whole: bool) -> tuple[int, int]:
        """Width and height for the size of a request; refuses what the level does not have."""
        width, height = part
        allowed = min(1.0, self.max_width / max(part)) if self.max_width else 1.0
        if text == "max" and self.api > 1:
            return scaled(part, allowed)
        if text == "full" and self.api < 3 and allowed == 1.0:
            return part
        size = self._given(text, width, height)
        if self.level == 0 and not (whole and size in self.listed_sizes(width, height)):
            raise BadRequestError(f"Size {text} is not listed.")
        if max(size) > max(part) * allowed:
            raise BadRequestError(f"Size {text} is larger than allowed.")
        return size

    def _given(self, text: str, width: int, height: int) -> tuple[int, int]:
        if text.startswith("pct:"):
            return scaled((width, height), float(text[4:]) / 100)
        confined, text = text.startswith("!"), text.removeprefix("!")
        w, _, h = text.partition(",")
        if not h:
            return scaled((width, height), int(w) / width)
        if not w:
            return scaled((width, height), int(h) / height)
        if self.level < 2 and self.api < 3 and self.level != 0:
            raise BadRequestError("w,h needs level 2.")
        if confined:
            return scaled((width, height), min(int(w) / width, int(h) / height))
        return int(w), int(h)


def scaled(size: tuple[int, int], by: float) -> tuple[int, int]:
    return max(1, round(size[0] * by)), max(1, round(size[1] * by))


def region_box(text: str, whole: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = whole
    if text == "full":
        return (0, 0, width, height)
    if text.startswith("pct:"):
        px, py, pw, ph = (float(part) / 100 for part in text[4:].split(","))
        x, y, w, h = round(px * width), round(py * height), math.ceil(pw * width), math.ceil(ph * height)
    else:
        x, y, w, h = (int(part) for part in text.split(","))
    box = (x, y, min(x + w, width), min(y + h, height))
    if box[2] <= box[0] or box[3] <= box[1]:
        raise BadRequestError("The region is empty.")
    return box


@lru_cache(maxsize=512)
def render(path: Path, box: tuple[int, int, int, int], size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").crop(box).resize(size, Image.Resampling.BILINEAR).save(out, "JPEG", quality=85)
    return out.getvalue()
