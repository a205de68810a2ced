"""Parts of a page that a model looks at on their own: zones that people ask for, and tiles.

A model sees an `Area` and answers in pixels of the whole original page, wherever the area lies and at
whatever scale its pixels are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from limner.annotations.annotation import Annotation
from limner.annotations.shapes import Box, Polygon
from limner.models.protocol import Pixels
from limner.models.tasks.clipping import clipped
from limner.models.tasks.letterbox import Size

S = TypeVar("S", Box, Polygon)

#: Annotations of two zones that agree by so much where the zones overlap are the same thing.
_SAME = 0.5


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a page, as pixels and as the rectangle that these cover."""

    #: Height × width × 3, uint8, RGB: a view, no copy.
    pixels: Pixels
    #: What the pixels cover, in pixels of the original page.
    box: Box
    #: Width and height of the original page.
    page: Size

    @classmethod
    def whole(cls, pixels: Pixels, page: Size) -> Area:
        """The whole page, whose pixels may be at a smaller scale."""
        return cls(pixels, Box(0, 0, *page), page)

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the original for one of this area, across and down."""
        return self.box.width / self.pixels.shape[1], self.box.height / self.pixels.shape[0]

    def to_page(self, shape: S) -> S:
        """A shape in the area's own pixels, in pixels of the original page."""
        return shape.scaled(*self.scale).translated(self.box.x, self.box.y)

    def part(self, box: Box) -> Area | None:
        """The pixels that show some rectangle of the page; None where the area has none of it."""
        shared = box.intersection(self.box)
        if shared is None:
            return None
        sx, sy = self.scale
        # Rounded first: 3 × (1 / 3) must not reach into the next pixel.
        height, width = self.pixels.shape[:2]
        left, right = _pixel_range((shared.x - self.box.x) / sx, (shared.x2 - self.box.x) / sx, width)
        top, bottom = _pixel_range((shared.y - self.box.y) / sy, (shared.y2 - self.box.y) / sy, height)
        pixels = self.pixels[top:bottom, left:right]
        covered = Box(left, top, pixels.shape[1], pixels.shape[0])
        return Area(pixels, self.to_page(covered), self.page)


def _pixel_range(low: float, high: float, count: int) -> tuple[int, int]:
    """The whole pixels that cover a range: at least one."""
    first = min(math.floor(round(low, 6)), count - 1)
    return first, min(max(math.ceil(round(high, 6)), first + 1), count)


def in_zones(
    pixels: Pixels, page: Size, zones: Sequence[Box], predict: Callable[[Area], Iterable[Annotation]]
) -> list[Annotation]:
    """What ``predict`` finds in each zone, or on the whole page when there are none; best first.

    ``zones`` are in pixels of the original page, and so are the answers of ``predict``; they are cut
    to their zone. A thing in two zones that overlap comes once. A zone outside the page has nothing.
    """
    whole = Area.whole(pixels, page)
    found: list[list[Annotation]] = []
    frames = [frame for zone in zones if (frame := zone.intersection(whole.box))] if zones else [whole.box]
    for frame in frames:
        area = whole.part(frame)
        found.append([] if area is None else _cut_to(predict(area), frame))
    kept: list[tuple[Box, Annotation]] = []
    pairs = [(frame, each) for frame, annotations in zip(frames, found, strict=True) for each in annotations]
    for frame, annotation in sorted(pairs, key=lambda pair: _rank(pair[1])):
        if len(frames) == 1 or not any(_same(annotation, frame, other, zone) for zone, other in kept):
            kept.append((frame, annotation))
    return [annotation for _, annotation in kept]


def _cut_to(annotations: Iterable[Annotation], frame: Box) -> list[Annotation]:
    """Annotations cut to a rectangle, without those that lie outside."""
    out = []
    for annotation in annotations:
        shape = clipped(annotation.shape, frame)
        if shape is annotation.shape:
            out.append(annotation)
        elif shape is not None:
            out.append(replace(annotation, shape=shape))
    return out


def _rank(annotation: Annotation) -> float:
    """Best first; among those without a score the order stays."""
    return 0.0 if annotation.score is None else -annotation.score


def _same(annotation: Annotation, frame: Box, other: Annotation, zone: Box) -> bool:
    """Whether two annotations agree where both zones look."""
    shared = frame.intersection(zone)
    if frame is zone or shared is None or annotation.label != other.label:
        return False
    one, two = annotation.shape.bounds.intersection(shared), other.shape.bounds.intersection(shared)
    return one is not None and two is not None and one.iou(two) > _SAME
