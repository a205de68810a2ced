"""Sets of changes, by name. What is done to an image follows from a seed alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms import v2

from limner.core.errors import UnknownNameError
from limner.training.augment.geometry import Movement, cropped, moved, turned
from limner.training.augment.mixing import mosaic, pasted_things
from limner.training.data.samples import Augment, Others, Plain
from limner.training.data.targets import Target

#: Least part of a side that is left where an image is cut.
_LEAST = 0.5


@dataclass(frozen=True, slots=True)
class Ranges:
    """How far an image may be moved: each is drawn evenly between minus and plus it, scale from a range."""

    #: Degrees.
    angle: float
    scale: tuple[float, float]
    #: Share of the image's sides.
    shift: float
    #: How often it is mirrored, …
    mirrored: float
    #: … turned by quarters of a circle, …
    turned: float = 0.0
    #: … and cut to a zone around one of its things.
    cut: float = 0.0


@dataclass(frozen=True, slots=True)
class Mixes:
    """How often a page is mixed with others."""

    #: Four pages on one.
    mosaic: float = 0.0
    #: Things of another page put onto it.
    pasted: float = 0.0


class Preset:
    """Mixes an image with others, moves it, then changes its light and grain."""

    def __init__(self, ranges: Ranges, looks: Sequence[nn.Module], mixes: Mixes = Mixes()) -> None:
        self._ranges = ranges
        self._looks = v2.Compose(list(looks))
        self._mixes = mixes

    def __call__(self, image: Tensor, target: Target, seed: int) -> Plain:
        """A changed copy; see `limner.training.data.samples.Augment`."""
        return self.mixed(image, target, seed, None)

    def mixed(self, image: Tensor, target: Target, seed: int, others: Others | None) -> Plain:
        """The same where other pages are at hand; see `limner.training.data.samples.Mixing`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if others is not None:
                image, target = self._mix(image, target, others)
            image, target = self._framed(image, target)
            image, target = moved(image, target, self._movement(image))
            return self._looks(image), target

    def _mix(self, image: Tensor, target: Target, others: Others) -> Plain:
        several, put = torch.rand(2).tolist()
        if several < self._mixes.mosaic:
            return mosaic(image, target, others)
        if put < self._mixes.pasted:
            return pasted_things(image, target, others)
        return image, target

    def _framed(self, image: Tensor, target: Target) -> Plain:
        """Turned and cut, where it is so decided."""
        turn, cut = torch.rand(2).tolist()
        if turn < self._ranges.turned:
            image, target = turned(image, target, 1 + int(torch.randint(3, ())))
        if cut < self._ranges.cut:
            image, target = cropped(image, target, _zone(image, target))
        return image, target

    def _movement(self, image: Tensor) -> Movement:
        angle, scale, right, down, mirror = torch.rand(5).tolist()
        low, high = self._ranges.scale
        shift = self._ranges.shift
        return Movement(
            angle=(2 * angle - 1) * self._ranges.angle,
            scale=low + (high - low) * scale,
            shift=((2 * right - 1) * shift * image.shape[2], (2 * down - 1) * shift * image.shape[1]),
            mirrored=mirror < self._ranges.mirrored,
        )


def _zone(image: Tensor, target: Target) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a part of an image, with a thing whole in it if there is one and it fits."""
    sides = (image.shape[2], image.shape[1])
    place = torch.zeros(4)
    if len(target.boxes):
        place = target.boxes[int(torch.randint(len(target.boxes), ()))]
    begins, lengths = [], []
    for at, side in enumerate(sides):
        low, high = float(place[at]), float(place[at + 2])
        length = max(
            round(side * (_LEAST + (1 - _LEAST) * float(torch.rand(())))), min(math.ceil(high - low) + 1, side)
        )
        first, last = max(0, math.ceil(high) - length), min(math.floor(low), side - length)
        begins.append(first + round((max(first, last) - first) * float(torch.rand(()))))
        lengths.append(length)
    return begins[0], begins[1], begins[0] + lengths[0], begins[1] + lengths[1]


class Texture(nn.Module):
    """Darker and lighter clouds, as of old paper."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [3, height, width] → the same"""
        height, width = image.shape[-2:]
        clouds = torch.zeros(1, 1, height, width)
        for cell in (96, 24):
            small = torch.randn(1, 1, max(2, height // cell), max(2, width // cell))
            clouds += functional.interpolate(small, (height, width), mode="bilinear", align_corners=False) / 2
        strength = self.strength * float(torch.rand(()))
        return (image.float() * (1 + strength * clouds[0])).clamp(0, 255).to(torch.uint8)


class Jpeg(nn.Module):
    """What a camera or scanner loses by compression."""

    def __init__(self, quality: tuple[int, int]) -> None:
        super().__init__()
        self.quality = quality

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [3, height, width] → the same"""
        quality = int(torch.randint(self.quality[0], self.quality[1] + 1, ()))
        # The order of the channels matters only in that it is the same on both ways.
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy()[..., ::-1])
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        read = np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
        return torch.from_numpy(read).permute(2, 0, 1)


def _looks(colour: float) -> list[nn.Module]:
    return [
        v2.ColorJitter(brightness=colour, contrast=colour, saturation=colour, hue=0.02),
        v2.RandomGrayscale(0.1),
        v2.RandomApply([Texture(0.15)], 0.5),
        v2.RandomApply([v2.GaussianBlur(3, (0.1, 1.2))], 0.2),
        v2.RandomApply([Jpeg((35, 95))], 0.3),
    ]


_PRESETS = {
    "page": Preset(Ranges(angle=2.0, scale=(0.8, 1.25), shift=0.08, mirrored=0.5), _looks(0.25)),
    "photo": Preset(Ranges(angle=8.0, scale=(0.6, 1.5), shift=0.15, mirrored=0.5, cut=0.2), _looks(0.4)),
    "strong": Preset(
        Ranges(angle=10.0, scale=(0.5, 1.5), shift=0.15, mirrored=0.5, turned=0.15, cut=0.3),
        _looks(0.5),
        Mixes(mosaic=0.35, pasted=0.35),
    ),
}
#: The names of all.
NAMES = ("none", *_PRESETS)


def augment_by_name(name: str) -> Augment | None:
    """The changes of that name, None for ``none``; raises `UnknownNameError`."""
    if name == "none":
        return None
    if name not in _PRESETS:
        raise UnknownNameError(f"There is no augmentation called {name!r}.", hint=f"Known: {', '.join(NAMES)}.")
    return _PRESETS[name]
