"""Sets of changes, by name. What is done to an image follows from a seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms import v2

from limner.core.errors import UnknownNameError
from limner.training.augment.geometry import Movement, moved
from limner.training.data.samples import Augment
from limner.training.data.targets import Target


@dataclass(frozen=True, slots=True)
class Ranges:
    """How far an image may be moved: each is drawn evenly between minus and plus it, scale from a range."""

    #: Degrees.
    angle: float
    scale: tuple[float, float]
    #: Share of the image's sides.
    shift: float
    #: How often it is mirrored.
    mirrored: float


class Preset:
    """Moves an image, then changes its light and grain."""

    def __init__(self, ranges: Ranges, looks: Sequence[nn.Module]) -> None:
        self._ranges = ranges
        self._looks = v2.Compose(list(looks))

    def __call__(self, image: Tensor, target: Target, seed: int) -> tuple[Tensor, Target]:
        """A changed copy; see `limner.training.data.samples.Augment`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            image, target = moved(image, target, self._movement(image))
            return self._looks(image), target

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


def _looks(colour: float) -> list[nn.Module]:
    return [
        v2.ColorJitter(brightness=colour, contrast=colour, saturation=colour, hue=0.02),
        v2.RandomGrayscale(0.1),
        v2.RandomApply([Texture(0.15)], 0.5),
        v2.RandomApply([v2.GaussianBlur(3, (0.1, 1.2))], 0.2),
        v2.RandomApply([v2.JPEG((35, 95))], 0.3),
    ]


_PRESETS = {
    "page": Preset(Ranges(angle=2.0, scale=(0.8, 1.25), shift=0.08, mirrored=0.5), _looks(0.25)),
    "photo": Preset(Ranges(angle=8.0, scale=(0.6, 1.5), shift=0.15, mirrored=0.5), _looks(0.4)),
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
