"""effdet's EfficientDet with its answers as boxes, scores and labels: what its ``DetBenchPredict`` does before NMS."""

from __future__ import annotations

from typing import Any

import torch
from effdet.anchors import Anchors
from torch import Tensor, nn


class Predicting(nn.Module):
    """One square image in; boxes (n × 4, pixels), scores and labels of the best candidates out."""

    def __init__(self, network: nn.Module, config: Any, classes: int) -> None:  # noqa: ANN401  # effdet's, untyped
        super().__init__()
        self.network = network
        self.classes = classes
        anchors = Anchors.from_config(config).boxes
        #: Top, left, bottom and right of each.
        self.anchors: Tensor
        self.register_buffer("anchors", anchors)
        self.most = min(int(config.max_detection_points), len(anchors) * classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The candidates with the best scores, best first; of one anchor several labels may be among them."""
        by_level, shifts_by_level = self.network(images)
        logits = torch.cat([_rows(level, self.classes) for level in by_level])
        shifts = torch.cat([_rows(level, 4) for level in shifts_by_level])
        best, at = torch.topk(logits.reshape(-1), self.most)
        rows, labels = at // self.classes, at % self.classes
        return _boxes(shifts[rows], self.anchors[rows]), best.sigmoid(), labels


def _rows(level: Tensor, numbers: int) -> Tensor:
    """The planes of one level as a row for each anchor."""
    return level.permute(0, 2, 3, 1).reshape(-1, numbers)


def _boxes(shifts: Tensor, anchors: Tensor) -> Tensor:
    """Left, top, right and bottom: anchors moved and grown as the network says (Faster R-CNN's coding)."""
    top, left, bottom, right = anchors.unbind(1)
    height, width = bottom - top, right - left
    dy, dx, dh, dw = shifts.unbind(1)
    y, x = dy * height + (top + bottom) / 2, dx * width + (left + right) / 2
    half_height, half_width = dh.exp() * height / 2, dw.exp() * width / 2
    return torch.stack([x - half_width, y - half_height, x + half_width, y + half_height], 1)
