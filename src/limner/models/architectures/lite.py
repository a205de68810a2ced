"""A light detector of one stage, without anchors, for machines without a GPU.

Our own plain arrangement of known parts: a backbone of cross-stage blocks (Wang et al., CSPNet, 2020), a path
aggregation neck (Liu et al., PANet, 2018), and at each of three levels a head with one branch for labels and one
for the distances to the four sides (Tian et al., FCOS, 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Pixels of the input between two points of each level.
STRIDES = (8, 16, 32)
#: Probability of a label before anything was learnt: nearly all points see nothing.
_PRIOR = 0.01


class Lite(nn.Module):
    """The network. Its input, [batch, 3, height, width], is RGB from 0 to 1, sides multiples of 32."""

    def __init__(self, labels: int, width: int = 16, depth: int = 1) -> None:
        super().__init__()
        widths = [width * 2**at for at in range(5)]
        self.stem = _conv(3, widths[0], 3, 2)
        self.stages = nn.ModuleList(
            nn.Sequential(_conv(before, after, 3, 2), Split(after, after, depth * (2 if 1 <= at <= 2 else 1)))
            for at, (before, after) in enumerate(pairwise(widths))
        )
        self.context = Context(widths[4])
        neck = widths[2]
        self.lateral = nn.ModuleList(_conv(each, neck, 1) for each in widths[2:])
        self.down = nn.ModuleList(Split(2 * neck, neck, depth, shortcut=False) for _ in range(2))
        self.shrink = nn.ModuleList(_conv(neck, neck, 3, 2) for _ in range(2))
        self.up = nn.ModuleList(Split(2 * neck, neck, depth, shortcut=False) for _ in range(2))
        self.heads = nn.ModuleList(Head(neck, labels) for _ in STRIDES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the labels [batch, points, labels] and distances to the sides in pixels [batch, points, 4]."""
        logits, distances = [], []
        for level, head, stride in zip(self.levels(images), self.heads, STRIDES, strict=True):
            label, side = head(level)
            logits.append(label.flatten(2).transpose(1, 2))
            distances.append(functional.softplus(side.flatten(2).transpose(1, 2)) * stride)
        return torch.cat(logits, dim=1), torch.cat(distances, dim=1)

    def levels(self, images: Tensor) -> list[Tensor]:
        """Features at a stride of 8, 16 and 32 pixels, each with a view of the others."""
        x = self.stem(images)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        fine, middle, coarse = (
            lateral(each)
            for lateral, each in zip(self.lateral, [features[1], features[2], self.context(features[3])], strict=True)
        )
        middle = self.down[0](torch.cat([_doubled(coarse), middle], dim=1))
        fine = self.down[1](torch.cat([_doubled(middle), fine], dim=1))
        middle = self.up[0](torch.cat([self.shrink[0](fine), middle], dim=1))
        coarse = self.up[1](torch.cat([self.shrink[1](middle), coarse], dim=1))
        return [fine, middle, coarse]


class Split(nn.Module):
    """Half of the channels pass through residual blocks, and all their states are joined again."""

    def __init__(self, before: int, after: int, depth: int, *, shortcut: bool = True) -> None:
        super().__init__()
        half = after // 2
        self.enter = _conv(before, 2 * half, 1)
        self.blocks = nn.ModuleList(Residual(half, shortcut=shortcut) for _ in range(depth))
        self.leave = _conv((2 + depth) * half, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, before, h, w] → [batch, after, h, w]"""
        parts = list(self.enter(x).chunk(2, dim=1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        out: Tensor = self.leave(torch.cat(parts, dim=1))
        return out


class Residual(nn.Module):
    """Two convolutions, added to what went in."""

    def __init__(self, width: int, *, shortcut: bool) -> None:
        super().__init__()
        self.first, self.second, self.shortcut = _conv(width, width, 3), _conv(width, width, 3), shortcut

    def forward(self, x: Tensor) -> Tensor:
        """[batch, width, h, w] → the same"""
        out: Tensor = self.second(self.first(x))
        return x + out if self.shortcut else out


class Context(nn.Module):
    """Maxima over ever larger neighbourhoods, so that each point sees far (He et al., spatial pyramid pooling)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter, self.leave = _conv(width, width // 2, 1), _conv(width * 2, width, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, width, h, w] → the same"""
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        out: Tensor = self.leave(torch.cat(parts, dim=1))
        return out


class Head(nn.Module):
    """Logits of the labels, and raw distances to left, top, right and bottom, for each point of a level."""

    def __init__(self, width: int, labels: int) -> None:
        super().__init__()
        self.label_branch = nn.Sequential(_conv(width, width, 3), _conv(width, width, 3))
        self.side_branch = nn.Sequential(_conv(width, width, 3), _conv(width, width, 3))
        self.label, self.side = nn.Conv2d(width, labels, 1), nn.Conv2d(width, 4, 1)
        nn.init.normal_(self.label.weight, std=0.01)
        nn.init.constant_(_bias(self.label), -math.log((1 - _PRIOR) / _PRIOR))
        nn.init.normal_(self.side.weight, std=0.01)
        nn.init.constant_(_bias(self.side), 2.0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, labels, h, w] and [batch, 4, h, w]"""
        return self.label(self.label_branch(x)), self.side(self.side_branch(x))


class Decoded(nn.Module):
    """The network with its answers as YOLOv8 gives them, for serving."""

    def __init__(self, network: Lite) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Columns of centre x, centre y, width, height and a score a label: [batch, 4 + labels, points]."""
        logits, distances = self.network(images)
        points = _grid(images)
        corners = boxes_at(points, distances)
        centre, sides = (corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]
        return torch.cat([centre, sides, logits.sigmoid()], dim=2).transpose(1, 2)


def boxes_at(points: Tensor, distances: Tensor) -> Tensor:
    """Left, top, right and bottom from points [points, 2] and distances [batch, points, 4]."""
    return torch.cat([points - distances[..., :2], points + distances[..., 2:]], dim=-1)


def points_of(height: int, width: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """The points of all levels for an input of some size, pixels [points, 2], and the stride of each [points]."""
    grids, strides = [], []
    for stride in STRIDES:
        ys = (torch.arange(height // stride, device=device) + 0.5) * stride
        xs = (torch.arange(width // stride, device=device) + 0.5) * stride
        grid = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], dim=-1).reshape(-1, 2)
        grids.append(grid)
        strides.append(torch.full((len(grid),), float(stride), device=device))
    return torch.cat(grids), torch.cat(strides)


def _grid(images: Tensor) -> Tensor:
    """`points_of`, written so that the exporter keeps height and width open."""
    grids = []
    for stride in STRIDES:
        ones = functional.avg_pool2d(torch.ones_like(images[:1, :1]), stride)
        ys = (ones.cumsum(2) - 0.5) * stride
        xs = (ones.cumsum(3) - 0.5) * stride
        grids.append(torch.cat([xs, ys], dim=1).flatten(2)[0].transpose(0, 1))
    return torch.cat(grids)


def _conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(after, eps=1e-3, momentum=0.03),
        nn.SiLU(inplace=True),
    )


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None  # noqa: S101 - these layers are made with one
    return layer.bias


def padded(images: Sequence[Tensor], multiple: int = 32, value: float = 114 / 255) -> Tensor:
    """Images of different sizes as one batch, each at the top left, sides multiples of a number."""
    height = max(each.shape[-2] for each in images)
    width = max(each.shape[-1] for each in images)
    size = [-(-height // multiple) * multiple, -(-width // multiple) * multiple]
    batch = images[0].new_full((len(images), 3, *size), value)
    for at, image in enumerate(images):
        batch[at, :, : image.shape[-2], : image.shape[-1]] = image
    return batch
