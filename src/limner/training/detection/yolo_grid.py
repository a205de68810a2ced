"""The loss of YOLO, version 1 (Redmon et al., You Only Look Once, 2016): squares of differences, by the grid's cells.

The vector is laid out as `limner.models.tasks.tiny_yolo` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.models.tasks.tiny_yolo import Grid, encode_grid
from limner.training.data.targets import Target

#: What coordinates weigh, and boxes on nothing.
COORDINATES, NOTHING = 5.0, 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Vectors of some images, cut up: image, row and column of the cell first."""

    #: … × labels
    classes: Tensor
    #: … × boxes
    confidences: Tensor
    #: … × boxes × 4: x, y, √width, √height
    coordinates: Tensor


def cells_of(vectors: Tensor, grid: Grid) -> Cells:
    """Views into vectors, [images, length]."""
    square, side = grid.cells**2, (grid.cells, grid.cells)
    classes, confidences, coordinates = torch.split(
        vectors, [square * grid.classes, square * grid.boxes, square * grid.boxes * 4], dim=1
    )
    return Cells(
        classes.reshape(-1, *side, grid.classes),
        confidences.reshape(-1, *side, grid.boxes),
        coordinates.reshape(-1, *side, grid.boxes, 4),
    )


def wanted_vectors(targets: Sequence[Target], sizes: Sequence[tuple[int, int]], grid: Grid) -> Tensor:
    """The vectors for what is on some images, whose widths and heights are given: [images, length]."""
    out = []
    for target, size in zip(targets, sizes, strict=True):
        scale = target.boxes.new_tensor([*size, *size])
        corners = target.boxes / scale
        boxes = torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], dim=1)
        vector = encode_grid(boxes.clamp(0, 1).cpu().numpy(), target.labels.tolist(), grid)
        out.append(torch.from_numpy(vector).to(target.boxes.device))
    return torch.stack(out)


def unknown_cells(targets: Sequence[Target], sizes: Sequence[tuple[int, int]], grid: Grid) -> Tensor:
    """Cells in which there may be something that nobody marked: bool [images, rows, columns].

    Those that an ignore zone touches; all, where some label was not looked for, for a box's confidence is
    that there is anything.
    """
    out = torch.zeros(len(targets), grid.cells, grid.cells, dtype=torch.bool)
    for at, (target, size) in enumerate(zip(targets, sizes, strict=True)):
        out[at] = not bool(target.exhaustive.all())
        scale = target.ignore.new_tensor([*size, *size])
        zones = (target.ignore / scale * grid.cells).clamp(0, grid.cells)
        touched = torch.cat([zones[:, :2].floor(), zones[:, 2:].ceil()], dim=1).int().tolist()
        for left, top, right, bottom in touched:
            out[at, top:bottom, left:right] = True
    return out


def grid_losses(found: Tensor, wanted: Tensor, unknown: Tensor, grid: Grid) -> dict[str, Tensor]:
    """``label``, ``box``, ``object`` and ``nothing`` for vectors [images, length], in the mean over the images.

    In a cell with a thing the box that overlaps it most answers for it; its confidence should be that overlap.
    """
    own, target = cells_of(found.float(), grid), cells_of(wanted, grid)
    there = target.confidences[..., 0] > 0
    overlaps = _overlaps(own.coordinates.detach(), target.coordinates, grid)
    chosen = torch.zeros_like(overlaps, dtype=torch.bool)
    chosen.scatter_(-1, _nearest(own.coordinates.detach(), target.coordinates, overlaps)[..., None], True)
    chosen &= there[..., None]
    silent = ~chosen & ~unknown.to(found.device)[..., None]
    count = len(found)
    return {
        "label": ((own.classes - target.classes) ** 2).sum(dim=-1)[there].sum() / count,
        "box": COORDINATES * ((own.coordinates - target.coordinates) ** 2)[chosen].sum() / count,
        "object": ((own.confidences - overlaps) ** 2)[chosen].sum() / count,
        "nothing": NOTHING * (own.confidences**2)[silent].sum() / count,
    }


def _nearest(own: Tensor, target: Tensor, overlaps: Tensor) -> Tensor:
    """The box of each cell that overlaps most; where none does, the one that differs least."""
    distance = ((own - target) ** 2).sum(dim=-1).sqrt()
    return torch.where(overlaps.amax(dim=-1, keepdim=True) > 0, overlaps, -distance).argmax(dim=-1)


def _overlaps(own: Tensor, target: Tensor, grid: Grid) -> Tensor:
    """Intersection over union of each box with the thing of its cell."""
    a, b = _corners(own, grid), _corners(target, grid)
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    common = sides.prod(dim=-1)
    areas = (a[..., 2:] - a[..., :2]).prod(dim=-1) + (b[..., 2:] - b[..., :2]).prod(dim=-1)
    return common / (areas - common).clamp(min=1e-9)


def _corners(coordinates: Tensor, grid: Grid) -> Tensor:
    """Corners relative to the cell, in fractions of the image."""
    centre, half = coordinates[..., :2] / grid.cells, coordinates[..., 2:] ** 2 / 2
    return torch.cat([centre - half, centre + half], dim=-1)
