"""What detectors do with boxes, in operations that ONNX has too.

Boxes are left, top, right, bottom in pixels of the network's input. Lengths of axes may vary from image
to image: nothing here depends on the size of the example that a network is traced with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.onnx.operators import shape_as_tensor
from torchvision.ops import nms, roi_align

#: Detectors let a box grow by no more than this factor, in logarithms.
GREATEST_GROWTH = math.log(1000 / 16)
#: A score below all others: what has it is never chosen.
NEVER = -1e30


def padded(image: Tensor, multiple: int) -> Tensor:
    """An image (1 × channels × height × width) with zeros at the right and bottom, to a multiple of a length."""
    height, width = image.shape[2:]
    bottom, right = (-height) % multiple, (-width) % multiple
    return nn.functional.pad(image, (0, right, 0, bottom))


def grid_anchors(cell: Tensor, feature: Tensor, image: Tensor, stride: int | None, offset: float = 0.0) -> Tensor:
    """The anchors of a feature map, row by row: n × 4.

    ``cell`` has the anchors around 0, 0. Without ``stride`` it is the image's length divided by that of
    the feature map, rounded down, as torchvision reckons.
    """
    height, width = feature.shape[2:]
    down, across = (stride, stride) if stride else (image.shape[2] // height, image.shape[3] // width)
    ys = (torch.arange(height, dtype=torch.float32) + offset) * down
    xs = (torch.arange(width, dtype=torch.float32) + offset) * across
    # Added rather than repeated: the lengths stay open.
    y = ys[:, None] + torch.zeros_like(xs)[None]
    x = xs[None] + torch.zeros_like(ys)[:, None]
    shifts = torch.stack([x, y, x, y], dim=2)
    return (shifts[:, :, None] + cell).reshape(-1, 4)


def decoded(deltas: Tensor, anchors: Tensor, weights: Sequence[float]) -> Tensor:
    """Boxes from anchors and what a network says of them: shifts by their size, and growth in logarithms."""
    wx, wy, ww, wh = weights
    size = anchors[..., 2:] - anchors[..., :2]
    centre = anchors[..., :2] + size / 2
    moved = centre + deltas[..., :2] / torch.tensor([wx, wy]) * size
    growth = (deltas[..., 2:] / torch.tensor([ww, wh])).clamp(max=GREATEST_GROWTH)
    half = growth.exp() * size / 2
    return torch.cat([moved - half, moved + half], dim=-1)


def clipped(boxes: Tensor, image: Tensor) -> Tensor:
    """Boxes cut to an image."""
    height, width = shape_as_tensor(image)[2:].to(boxes.dtype)
    return torch.minimum(boxes.clamp(min=0), torch.stack([width, height, width, height]))


def at_least(boxes: Tensor, least: float) -> Tensor:
    """Which boxes are wider and higher than a length."""
    return ((boxes[..., 2:] - boxes[..., :2]) > least).all(dim=-1)


def best(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The highest scores and their places, the best first; fewer where there are not so many."""
    number: Any = torch.minimum(shape_as_tensor(scores)[0], torch.tensor(count))
    values, places = torch.topk(scores, number)
    return values, places


class _Suppressed(torch.autograd.Function):
    """``NonMaxSuppression`` of ONNX: rows of group, class and box, the best of each class first."""

    @staticmethod
    def forward(_: object, boxes: Tensor, scores: Tensor, iou: float, threshold: float, limit: int) -> Tensor:
        """The same with torchvision's ``nms``."""
        rows = []
        for group, group_boxes in enumerate(boxes):
            for label, label_scores in enumerate(scores[group]):
                places = torch.nonzero(label_scores > threshold)[:, 0]
                kept = places[nms(group_boxes[places], label_scores[places], iou)][:limit]
                rows.append(torch.stack([torch.full_like(kept, group), torch.full_like(kept, label), kept], dim=1))
        return torch.cat(rows)

    @staticmethod
    def symbolic(graph: Any, boxes: object, scores: object, iou: float, threshold: float, limit: int) -> object:  # noqa: ANN401  # torch has no types for it
        """The node in ONNX."""
        constants = (torch.tensor([limit]), torch.tensor([iou]), torch.tensor([threshold]))
        return graph.op(
            "NonMaxSuppression", boxes, scores, *(graph.op("Constant", value_t=value) for value in constants)
        )


def suppressed(boxes: Tensor, scores: Tensor, iou: float, threshold: float, limit: int) -> Tensor:
    """What stays of some boxes: rows of group, class and box.

    ``boxes`` are groups × n × 4, ``scores`` groups × classes × n. Of boxes of one group and class that
    overlap by more than ``iou`` the best stays; only scores above ``threshold`` count.
    """
    rows: Tensor = _Suppressed.apply(boxes, scores, iou, threshold, limit)
    return rows


def pooled(
    features: Sequence[Tensor], boxes: Tensor, levels: Tensor, side: int, *, ratio: int, aligned: bool
) -> tuple[Tensor, Tensor]:
    """ROIAlign of each box from its level (0 is the finest, a quarter of the image; each next is half of it).

    Gives n × channels × side × side, and the number of the box in each row: they come level by level, so
    that no large array has to be put in order.
    """
    parts, places = [], []
    for level, feature in enumerate(features):
        place = torch.nonzero(levels == level)[:, 0]
        rois = boxes[place]
        rows = torch.cat([torch.zeros_like(rois[:, :1]), rois], dim=1)
        parts.append(roi_align(feature, rows, (side, side), 0.25 / 2**level, ratio, aligned))
        places.append(place)
    return torch.cat(parts), torch.cat(places)
