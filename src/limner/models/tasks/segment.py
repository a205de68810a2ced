"""Pixel classes: from the class of every pixel to labelled regions.

A region is a set of pixels of one class that touch by edges or corners. Its area is that inside its
outer line through the centres of the pixels (OpenCV's ``contourArea``), holes included.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from limner.annotations.annotation import Annotation
from limner.annotations.masks import array_to_polygons, simplified
from limner.annotations.shapes import Box, Shape
from limner.core.errors import ModelError
from limner.models.tasks.decoders import Outputs
from limner.models.tasks.detect import Request
from limner.models.tasks.instance_masks import Bits, embedded
from limner.models.tasks.letterbox import Plan, Size
from limner.models.tasks.specs import PixelClasses

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ClassMap:
    """The class of every pixel of some part of a page."""

    #: Height × width.
    classes: Bytes
    #: How probable the class is, 0 to 255; None where the network does not say.
    certainty: Bytes | None

    def resized(self, size: Size) -> ClassMap:
        """The same at another size, each pixel a copy of the nearest."""
        layers = [
            None if layer is None else np.asarray(cv2.resize(layer, size, interpolation=cv2.INTER_NEAREST), np.uint8)
            for layer in (self.classes, self.certainty)
        ]
        return ClassMap(layers[0], layers[1])  # type: ignore[arg-type]  # classes are always there


def class_map(outputs: Outputs, spec: PixelClasses, labels: int, plan: Plan) -> ClassMap:
    """The classes of the image itself, the padding cut away; raises `ModelError`."""
    output = outputs[0]
    while output.ndim > 2 and output.shape[0] == 1:
        output = output[0]
    count = labels + (spec.background is not None)
    if output.ndim == 2 and output.dtype.kind in "iu":
        return _inside(ClassMap(output.astype(np.uint8), _given_certainty(outputs, output.shape)), plan)
    if output.ndim != 3 or output.shape[0] != count or count > 255:
        raise ModelError(
            f"The network gives an output of shape {outputs[0].shape}; for {labels} labels there would be {count} "
            "planes of the size of the image."
        )
    classes = output.argmax(axis=0)
    if spec.activation == "softmax":
        peak = np.take_along_axis(output, classes[None], axis=0)
        certainty = 1 / np.exp(output - peak, dtype=np.float32).sum(axis=0)
    else:
        certainty = np.clip(output.max(axis=0), 0, 1)
    return _inside(ClassMap(classes.astype(np.uint8), np.round(certainty * 255).astype(np.uint8)), plan)


def _given_certainty(outputs: Outputs, shape: tuple[int, ...]) -> Bytes | None:
    """How probable the classes are, where the network has a second output for it."""
    if len(outputs) < 2 or outputs[1].dtype.kind != "f" or outputs[1].size != math.prod(shape):
        return None
    return np.round(np.clip(outputs[1].reshape(shape), 0, 1) * 255).astype(np.uint8)


def _inside(whole: ClassMap, plan: Plan) -> ClassMap:
    """The part that shows the image; the map may be coarser than the input."""
    height, width = whole.classes.shape
    fx, fy = width / plan.canvas[0], height / plan.canvas[1]
    rows = slice(round(plan.top * fy), max(round((plan.top + plan.inner[1]) * fy), round(plan.top * fy) + 1))
    columns = slice(round(plan.left * fx), max(round((plan.left + plan.inner[0]) * fx), round(plan.left * fx) + 1))
    certainty = whole.certainty
    return ClassMap(whole.classes[rows, columns], None if certainty is None else certainty[rows, columns])


def stitched(parts: Iterable[tuple[ClassMap, Box, Box]], area: Box, background: int) -> ClassMap:
    """One map of an area from those of its tiles.

    With each map comes the rectangle that it shows and the smaller one that is taken from it, both in
    pixels of the page.
    """
    size = (round(area.height), round(area.width))
    classes, certainty = np.full(size, background, np.uint8), np.zeros(size, np.uint8)
    known = True
    for part, shown, core in parts:
        left, top = round(shown.x - area.x), round(shown.y - area.y)
        x1, y1 = round(core.x - area.x), round(core.y - area.y)
        x2, y2 = round(core.x2 - area.x), round(core.y2 - area.y)
        fitting = part.resized((round(shown.x2 - area.x) - left, round(shown.y2 - area.y) - top))
        inner = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
        classes[y1:y2, x1:x2] = fitting.classes[inner]
        known = known and fitting.certainty is not None
        if fitting.certainty is not None:
            certainty[y1:y2, x1:x2] = fitting.certainty[inner]
    return ClassMap(classes, certainty if known else None)


def regions(found: ClassMap, area: Box, page: Size, spec: PixelClasses, request: Request) -> Iterator[Annotation]:
    """The regions of an area as annotations; its map has one element for each pixel of the page."""
    left, top = round(area.x), round(area.y)
    for number, label in enumerate(request.labels):
        value = number + (spec.background is not None and number >= spec.background)
        if not request.wanted[number]:
            continue
        least = spec.minimum_areas.get(label, spec.minimum_area) * page[0] * page[1]
        for bits, x, y in _parts(found.classes == value, least, nested=spec.nested):
            score = _score(found, bits, x, y)
            if score is None or score >= request.threshold:
                shape = _shape(bits, left + x, top + y, page, spec)
                if shape is not None:
                    yield Annotation(shape=shape, label=label, score=score, provenance=request.provenance)


def _parts(inside: Bits, least: float, *, nested: bool) -> Iterator[tuple[Bits, int, int]]:
    """The regions that are large enough: their pixels within their bounds, and where these begin."""
    mode = cv2.RETR_CCOMP if nested else cv2.RETR_EXTERNAL
    contours, tree = cv2.findContours(inside.astype(np.uint8), mode, cv2.CHAIN_APPROX_SIMPLE)
    for contour, (_, _, _, parent) in zip(contours, tree[0] if len(contours) else (), strict=True):
        if parent >= 0 or cv2.contourArea(contour) < least:
            continue
        x, y, width, height = cv2.boundingRect(contour)
        # Other regions may reach into the bounds: the one that holds the contour is meant.
        _, numbers = cv2.connectedComponents(inside[y : y + height, x : x + width].astype(np.uint8), connectivity=8)
        first_x, first_y = contour[0, 0]
        yield numbers == numbers[first_y - y, first_x - x], x, y


def _score(found: ClassMap, bits: Bits, x: int, y: int) -> float | None:
    """How probable the class is in the mean over a region."""
    if found.certainty is None:
        return None
    height, width = bits.shape
    return float(found.certainty[y : y + height, x : x + width][bits].mean()) / 255


def _shape(bits: Bits, left: int, top: int, page: Size, spec: PixelClasses) -> Shape | None:
    """A region as the shape that the bundle asks for."""
    height, width = bits.shape
    if spec.shape == "box":
        return Box(left, top, width, height)
    if spec.shape == "mask":
        return embedded(bits, left, top, page)
    polygon = max(array_to_polygons(_bridged(bits)), key=lambda each: each.area)
    return simplified(polygon.translated(left, top), spec.tolerance * max(width, height))


def _bridged(bits: Bits) -> Bits:
    """Pixels that touch only by a corner joined by a third, for a polygon needs edges in common."""
    out = bits.copy()
    nw, ne, sw, se = bits[:-1, :-1], bits[:-1, 1:], bits[1:, :-1], bits[1:, 1:]
    out[:-1, 1:] |= nw & se & ~ne & ~sw
    out[:-1, :-1] |= ne & sw & ~nw & ~se
    return out
