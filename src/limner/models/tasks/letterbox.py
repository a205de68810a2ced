"""From an image to a network's input, and from the network's coordinates back to the image.

`plan_input` reckons sizes and says how coordinates map; `prepare` moves the pixels: one resize in
8 bits, then one pass that turns each colour into numbers, straight into a buffer that is used again.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from limner.models.protocol import Pixels
from limner.models.tasks.specs import (
    Fixed,
    Input,
    Keep,
    Letterbox,
    Longest,
    PerImage,
    Resize,
    Shortest,
    Stretch,
    TotalPixels,
)

#: Boxes: n × 4, left, top, right, bottom.
Corners: TypeAlias = npt.NDArray[np.floating[Any]]
Tensor: TypeAlias = npt.NDArray[Any]
#: Width and height, pixels.
Size: TypeAlias = tuple[int, int]

_OPENCV = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}
_PILLOW = {
    "pillow-bilinear": Image.Resampling.BILINEAR,
    "pillow-bicubic": Image.Resampling.BICUBIC,
    "pillow-lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True, slots=True)
class Transform:
    """Coordinates of an image × scale + shift are coordinates of the network's input."""

    #: Scale across and down.
    sx: float
    sy: float
    #: Shift to the right and down, pixels of the input.
    dx: float
    dy: float

    def to_image(self, boxes: Corners) -> npt.NDArray[np.float64]:
        """Boxes of the network in pixels of the image."""
        return (np.asarray(boxes, np.float64) - (self.dx, self.dy) * 2) / ((self.sx, self.sy) * 2)

    def to_network(self, boxes: Corners) -> npt.NDArray[np.float64]:
        """Boxes of the image in pixels of the network's input."""
        return np.asarray(boxes, np.float64) * ((self.sx, self.sy) * 2) + (self.dx, self.dy) * 2

    def rescaled(self, x: float, y: float) -> Transform:
        """The same for an image with coordinates that have to be multiplied first."""
        return Transform(self.sx * x, self.sy * y, self.dx, self.dy)

    def for_part(self, left: float, top: float) -> Transform:
        """The same for a larger image in which this one begins at some point."""
        return Transform(self.sx, self.sy, self.dx - left * self.sx, self.dy - top * self.sy)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one image fills the network's input."""

    #: Size that the image is scaled to.
    inner: Size
    #: Size of the input, padding included.
    canvas: Size
    #: Where in the input the image begins.
    left: int
    top: int
    #: From pixels of the image to pixels of the input.
    transform: Transform


def plan_input(spec: Input, image: Size) -> Plan:
    """How an image of some size fills the input."""
    resize = spec.resize
    inner = _inner_size(resize, *image)
    canvas = _canvas_size(spec, inner)
    left, top = (0, 0)
    if isinstance(resize, Letterbox) and resize.anchor == "centre":
        # As the YOLO programs halve an odd remainder: the smaller part goes first.
        left, top = (round((outer - own) / 2 - 0.1) for own, outer in zip(inner, canvas, strict=True))
    return Plan(inner, canvas, left, top, _transform(resize, image, inner, canvas, (left, top)))


def _inner_size(resize: Resize, width: int, height: int) -> Size:
    """Size that an image is scaled to."""
    match resize:
        case Letterbox():
            return _fitted(width, height, min(resize.width / width, resize.height / height), enlarge=resize.enlarge)
        case Longest():
            return _fitted(width, height, resize.side / max(width, height), enlarge=resize.enlarge)
        case Keep(longest=longest):
            return _fitted(width, height, (longest or math.inf) / max(width, height), enlarge=False)
        case TotalPixels():
            return _fitted(width, height, math.sqrt(resize.pixels / (width * height)), enlarge=True)
        case Shortest():
            return _shortest(resize, width, height)
        case Stretch():
            return (resize.width, resize.height)


def _fitted(width: int, height: int, scale: float, *, enlarge: bool) -> Size:
    """A size times a factor, in whole pixels."""
    factor = scale if enlarge else min(scale, 1.0)
    return (max(1, round(width * factor)), max(1, round(height * factor)))


def _shortest(resize: Shortest, width: int, height: int) -> Size:
    """By the shorter side, in the order of operations of Detectron2's ``ResizeShortestEdge``."""
    if resize.rounding == "torchvision":
        return _shortest_in_torchvision(resize, width, height)
    scale = resize.side / min(width, height)
    sides = (width * scale, height * scale)
    if max(sides) > resize.longest:
        scale = resize.longest / max(sides)
        sides = (sides[0] * scale, sides[1] * scale)
    up = 0.5 if resize.rounding == "nearest" else 1e-6  # a product may lie a hair under the whole number it means
    return (max(1, int(sides[0] + up)), max(1, int(sides[1] + up)))


def _shortest_in_torchvision(resize: Shortest, width: int, height: int) -> Size:
    """In the order of operations of torchvision's detectors: what lies a hair under a whole number loses it."""
    scale = min(resize.side / min(width, height), resize.longest / max(width, height))
    return (max(1, int(width * scale)), max(1, int(height * scale)))


def _canvas_size(spec: Input, inner: Size) -> Size:
    """Size of the input that an image of some size is padded to."""
    match spec.resize:
        case Stretch():
            return inner
        case Letterbox(width=width, height=height) if not spec.dynamic:
            return (width, height)
        case Longest(side=side) if not spec.dynamic:
            return (side, side)
    width, height = (-(-length // spec.stride) * spec.stride for length in inner)
    return (width, height)


def _transform(resize: Resize, image: Size, inner: Size, canvas: Size, at: Size) -> Transform:
    """How coordinates map; see ``Letterbox.mapping`` for the variants."""
    mapping = resize.mapping if isinstance(resize, Letterbox) else "exact"
    if mapping == "exact":
        return Transform(inner[0] / image[0], inner[1] / image[1], at[0], at[1])
    gain = min(canvas[0] / image[0], canvas[1] / image[1])
    if mapping == "ultralytics":
        return Transform(gain, gain, at[0], at[1])
    return Transform(gain, gain, (canvas[0] - image[0] * gain) / 2, (canvas[1] - image[1] * gain) / 2)


class Buffers(threading.local):
    """One buffer a thread, as large as the largest input that was asked for."""

    _block: npt.NDArray[np.uint8] = np.empty(0, np.uint8)

    def take(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        """An array with undefined content, valid until the thread asks again."""
        needed = math.prod(shape) * np.dtype(dtype).itemsize
        if self._block.size < needed:
            self._block = np.empty(needed, np.uint8)
        return self._block[:needed].view(dtype).reshape(shape)


def prepare(pixels: Pixels, spec: Input, plan: Plan, buffers: Buffers) -> Tensor:
    """The network's input for an image; the array belongs to ``buffers``."""
    small = _resized(_plain(pixels), plan.inner, spec.filter)
    width, height = plan.canvas
    shape = (3, height, width) if "chw" in spec.layout else (height, width, 3)
    tensor = buffers.take(shape, spec.dtype)
    planes: Tensor = tensor if "chw" in spec.layout else np.moveaxis(tensor, 2, 0)
    order = (0, 1, 2) if spec.channels == "rgb" else (2, 1, 0)
    tables = _tables(spec, small, order)
    for plane, channel, (scale, shift) in zip(planes, order, tables, strict=True):
        _fill(plane, np.asarray(cv2.extractChannel(small, channel)), plan, scale, shift, spec)
    return tensor if len(spec.layout) == 3 else tensor[None]


def _plain(pixels: Pixels) -> Pixels:
    """The pixels as OpenCV can read them: parts of rows are well, mirrored ones are not."""
    return pixels if pixels.strides[1:] == (3, 1) and pixels.strides[0] > 0 else np.ascontiguousarray(pixels)


def _resized(pixels: Pixels, size: Size, how: str) -> Tensor:
    """The pixels at another size: uint8, or float32 where the filter does not round."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    if how == "linear-exact":
        return np.asarray(cv2.resize(pixels.astype(np.float32), size, interpolation=cv2.INTER_LINEAR))
    if how in _PILLOW:
        return np.asarray(Image.fromarray(pixels).resize(size, _PILLOW[how]))
    return np.asarray(cv2.resize(pixels, size, interpolation=_OPENCV[how]), np.uint8)


def _tables(spec: Input, small: Tensor, order: tuple[int, ...]) -> list[tuple[float, float]]:
    """Factor and addend that turn a pixel into a number, for each colour in the order of the input."""
    normalisation = spec.normalisation
    if isinstance(normalisation, Fixed):
        return [
            (normalisation.scale / std, -mean / std)
            for mean, std in zip(normalisation.mean, normalisation.std, strict=True)
        ]
    means, deviations = _statistics(normalisation, small)
    scale = normalisation.scale
    out = []
    for channel in order:
        std = float(deviations[channel]) + normalisation.epsilon
        out.append((scale / std, -float(means[channel]) / std))
    return out


def _statistics(normalisation: PerImage, small: Pixels) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each colour, in the scale of the input."""
    if normalisation.sums == "float32":
        values = small.astype(np.float32) / np.float32(1 / normalisation.scale)
        return values.mean(axis=(0, 1)), values.std(axis=(0, 1))
    means, deviations = cv2.meanStdDev(small)
    return means[:, 0] * normalisation.scale, deviations[:, 0] * normalisation.scale


def _fill(plane: Tensor, colour: Tensor, plan: Plan, scale: float, shift: float, spec: Input) -> None:
    """Write one colour into its plane, with its padding."""
    inside = plane[plan.top : plan.top + plan.inner[1], plan.left : plan.left + plan.inner[0]]
    if spec.dtype == "uint8":  # the network does the rest itself
        inside[...] = colour
        _pad(plane, plan, spec.pad or 0)
        return
    if colour.dtype != np.uint8:
        inside[...] = colour * np.float32(scale) + np.float32(shift)
        _pad(plane, plan, 0.0 if spec.pad is None else spec.pad * scale + shift)
        return
    # A pixel has 256 values: a table is exact, and as fast as a product.
    table = (np.arange(256) * scale + shift).astype(spec.dtype)
    if spec.dtype == "float32" and inside.strides[1] == inside.itemsize:
        cv2.LUT(colour, table, dst=inside)
    else:
        inside[...] = table[colour]
    _pad(plane, plan, 0.0 if spec.pad is None else spec.pad * scale + shift)


def _pad(plane: Tensor, plan: Plan, value: float) -> None:
    """Fill what the image leaves free."""
    right, bottom = plan.left + plan.inner[0], plan.top + plan.inner[1]
    plane[: plan.top] = value
    plane[bottom:] = value
    plane[plan.top : bottom, : plan.left] = value
    plane[plan.top : bottom, right:] = value
