"""Images of text lines: how a page is scaled to find them, and how they are cut out to be read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from limner.models.protocol import Pixels

#: n × 4 × 2: the corners of regions, clockwise from the top left, pixels.
Quads = npt.NDArray[np.float32]

#: Sides of the detector's input are multiples of this.
_STRIDE = 32
#: Aspect of a page; a longer image may have more pixels, so that its lines stay as large.
_PAGE_ASPECT = 1.4
_MOST_PAGES = 4.0
#: Small images are enlarged until the shorter side has this length, but no more than twofold.
_SMALL = 736
_MOST_ENLARGED = 2.0
#: A line that fills its image is found only when there is some margin, pixels of the input.
_MARGIN = 32
#: The recogniser reads the first and last letter better with some space, in heights of the line.
_SPACE = 0.1
#: Taller than this, by its width, a region may be a line written upwards or downwards …
_UPRIGHT = 1.5
#: … and above this it is nothing else.
_TURNED = 3.0


@dataclass(frozen=True, slots=True)
class DetectorView:
    """An image as the detector of lines sees it."""

    #: Height × width × 3, uint8; both sides multiples of 32.
    pixels: Pixels
    #: Pixels of the detector for one of the image, across and down.
    scale: tuple[float, float]
    #: Margin at the left and top, pixels of the detector.
    margin: tuple[int, int]
    #: Width and height of the image.
    size: tuple[int, int]

    def to_image(self, quads: npt.NDArray[np.generic]) -> Quads:
        """Regions in pixels of the image, cut at its edges."""
        moved = (quads.astype(np.float32) - np.array(self.margin, np.float32)) / np.array(self.scale, np.float32)
        return np.asarray(np.clip(moved, 0, self.size), np.float32)


def detector_view(pixels: Pixels, side: int) -> DetectorView:
    """An image scaled for the detector: a page gets a longer side of about ``side`` pixels."""
    height, width = pixels.shape[:2]
    scale = detector_scale(width, height, side)
    inner = [max(1, round(length * scale)) for length in (width, height)]
    resized = scaled(pixels, inner[0], inner[1])
    outer = [math.ceil(max(length, 2 * _MARGIN) / _STRIDE) * _STRIDE for length in inner]
    left, top = ((all_ - own) // 2 for all_, own in zip(outer, inner, strict=True))
    padded = cv2.copyMakeBorder(
        resized, top, outer[1] - inner[1] - top, left, outer[0] - inner[0] - left, cv2.BORDER_REPLICATE
    )
    factors = (inner[0] / width, inner[1] / height)
    return DetectorView(np.asarray(padded, np.uint8), factors, (left, top), (width, height))


def detector_scale(width: int, height: int, side: int) -> float:
    """Pixels of the detector for one of the image.

    The number of pixels is limited in place of the longer side: a narrow strip keeps its resolution.
    """
    aspect = max(width, height) / min(width, height)
    budget = side * side / _PAGE_ASPECT * min(max(aspect / _PAGE_ASPECT, 1.0), _MOST_PAGES)
    enlarged = min(max(_SMALL / min(width, height), 1.0), _MOST_ENLARGED)
    return min(enlarged, math.sqrt(budget / (width * height)))


def scaled(pixels: Pixels, width: int, height: int) -> Pixels:
    """An image at another size: averaged when it shrinks, with Lanczos' filter when it grows."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = height < pixels.shape[0]
    return np.asarray(
        cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4), np.uint8
    )


def visible(quad: Quads) -> bool:
    """Whether a region is at least a pixel wide and high."""
    return bool(np.ptp(quad, axis=0).min() >= 1)


def upright(quad: Quads) -> bool:
    """Whether a region is an upright rectangle, give or take a pixel."""
    (left, top), (right, bottom) = quad.min(axis=0), quad.max(axis=0)
    rectangle = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return bool(np.abs(quad - rectangle).max() <= 1)


def line_image(pixels: Pixels, quad: Quads, height: int) -> Pixels:
    """A region of an image as a straight line of some height in pixels."""
    own = float(np.linalg.norm(quad[0] - quad[3]))
    cut = _cut_upright(pixels, quad, own) if upright(quad) else _cut_turned(pixels, quad, own)
    return _of_height(cut, height)


def _of_height(cut: Pixels, height: int) -> Pixels:
    return scaled(cut, max(1, round(cut.shape[1] * height / cut.shape[0])), height)


def _cut_upright(pixels: Pixels, quad: Quads, height: float) -> Pixels:
    """Whole pixels, so that nothing is blurred."""
    space = np.array((_SPACE * height, 0), np.float32)
    left, top = np.floor(quad.min(axis=0) - space).astype(int)
    right, bottom = np.ceil(quad.max(axis=0) + space).astype(int)
    return pixels[max(top, 0) : bottom, max(left, 0) : right]


def _cut_turned(pixels: Pixels, quad: Quads, height: float) -> Pixels:
    along = (quad[1] - quad[0]) / max(float(np.linalg.norm(quad[1] - quad[0])), 1.0)
    longer = quad + np.outer((-1, 1, 1, -1), along * _SPACE * height).astype(np.float32)
    width, rows = (max(1, round(float(np.linalg.norm(longer[0] - longer[corner])))) for corner in (1, 3))
    target = np.array([[0, 0], [width, 0], [width, rows], [0, rows]], np.float32)
    matrix = cv2.getPerspectiveTransform(longer.astype(np.float32), target)
    return np.asarray(
        cv2.warpPerspective(pixels, matrix, (width, rows), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def readings(pixels: Pixels, quad: Quads, height: int) -> list[Pixels]:
    """The images to try for one region: a tall one may be written upwards or downwards."""
    level = levelled(quad)
    across = float(np.linalg.norm(level[0] - level[1]))
    down = float(np.linalg.norm(level[0] - level[3]))
    if down < _UPRIGHT * across:
        return [line_image(pixels, level, height)]
    turned = [np.roll(level, shift, axis=0) for shift in (-1, 1)]
    tried = turned if down > _TURNED * across else [level, *turned]
    return [line_image(pixels, each, height) for each in tried]


def levelled(quad: Quads) -> Quads:
    """The same corners, clockwise from the one whose edge runs most nearly straight to the right."""
    edges = np.roll(quad, -1, axis=0) - quad
    return np.roll(quad, -int(np.argmax(edges[:, 0] / np.maximum(np.linalg.norm(edges, axis=1), 1e-6))), axis=0)


def best_readings(
    counts: Sequence[int], texts: Sequence[str], scores: Sequence[float]
) -> tuple[list[str], list[float]]:
    """For each region the best of what was read of its images, of which there were ``counts``."""
    chosen: list[int] = []
    start = 0
    for count in counts:
        chosen.append(max(range(start, start + count), key=lambda at: scores[at]))
        start += count
    return [texts[at] for at in chosen], [scores[at] for at in chosen]
