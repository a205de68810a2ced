"""How large an image that is sent may be."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest image that is sent for one request, pixels; as ``info.json`` tells it."""

    #: Longest side.
    side: int = 20_000
    area: int = 60_000_000

    def allow(self, width: int, height: int) -> bool:
        """Whether an image of this size is sent."""
        return max(width, height) <= self.side and width * height <= self.area

    def largest(self, width: int, height: int) -> tuple[int, int]:
        """The largest size of these proportions that is sent, at most the one given."""
        scale = min(1.0, self.side / max(width, height), math.sqrt(self.area / (width * height)))
        return max(1, math.floor(width * scale)), max(1, math.floor(height * scale))


LIMITS = Limits()
