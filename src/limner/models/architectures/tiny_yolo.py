"""Tiny YOLO, version 1: nine convolutions and three dense layers, 45,089,374 parameters for 20 classes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

#: Maps that each convolution gives; the first six are followed by pooling.
WIDTHS = (16, 32, 64, 128, 256, 512, 1024, 1024, 1024)
#: Units of the dense layers before the answer.
DENSE = (256, 4096)
#: Side of the image, pixels; six poolings leave a grid of 7 × 7.
SIDE = 448
_POOLED = 6
_SLOPE = 0.1


class TinyYolo(nn.Module):
    """The network: n × 3 × side × side in, n × outputs out. Pixels lie between −1 and 1.

    Other widths make a smaller network of the same build.
    """

    def __init__(
        self, outputs: int, *, widths: Sequence[int] = WIDTHS, dense: Sequence[int] = DENSE, side: int = SIDE
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for at, (cin, cout) in enumerate(pairwise((3, *widths))):
            layers += [nn.Conv2d(cin, cout, 3, padding=1), nn.LeakyReLU(_SLOPE)]
            if at < _POOLED:
                layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        cells = side >> min(_POOLED, len(widths))
        first, second = dense
        # The first dense layer is linear, as in darknet's yolo-tiny.cfg.
        self.head = nn.Sequential(
            nn.Linear(widths[-1] * cells * cells, first),
            nn.Linear(first, second),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(second, outputs),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The answers, laid out as `limner.models.tasks.tiny_yolo` says."""
        out: torch.Tensor = self.head(torch.flatten(self.features(images), 1))
        return out

    def convolutions(self) -> list[nn.Conv2d]:
        """The convolutions, in order."""
        return [layer for layer in self.features if isinstance(layer, nn.Conv2d)]

    def dense(self) -> list[nn.Linear]:
        """The dense layers, in order."""
        return [layer for layer in self.head if isinstance(layer, nn.Linear)]
