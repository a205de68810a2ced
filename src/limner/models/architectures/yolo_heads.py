"""The heads of YOLOv5, and of YOLOv5u, YOLOv8 and YOLO11: from features to boxes, scores and masks.

Outputs are those that the exports of the two programs have: `limner.models.tasks.decoders` reads them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from limner.models.architectures.yolo_blocks import Conv, DWConv

#: Cells into which YOLOv8 divides the distance to an edge of a box.
_DISTANCES = 16


class AnchorDetect(nn.Module):
    """The head of YOLOv5: each cell corrects a few boxes of fixed size."""

    anchors: Tensor

    def __init__(self, nc: int, anchors: Sequence[Sequence[float]], ch: Sequence[int], masks: int = 0) -> None:
        super().__init__()
        self.nc = nc
        self.nm = masks
        self.no = nc + 5 + masks
        self.nl = len(anchors)
        self.na = len(anchors[0]) // 2
        #: Pixels of the input for each cell of a level; set with the weights.
        self.stride: tuple[int, ...] = ()
        #: In cells of their level.
        self.register_buffer("anchors", torch.tensor(anchors, dtype=torch.float32).view(self.nl, -1, 2))
        self.m = nn.ModuleList(nn.Conv2d(each, self.no * self.na, 1) for each in ch)

    def forward(self, x: list[Tensor]) -> Tensor:
        """Rows of centre x, centre y, width, height, objectness, a score a label, and mask coefficients."""
        levels = zip(x, self.m, self.anchors, self.stride, strict=True)
        return torch.cat([self._rows(conv(features), anchors, stride) for features, conv, anchors, stride in levels], 1)

    def _rows(self, raw: Tensor, anchors: Tensor, stride: int) -> Tensor:
        batch, _, height, width = raw.shape
        raw = raw.view(batch, self.na, self.no, height, width).permute(0, 1, 3, 4, 2)
        xy, wh, scores, masks = torch.split(raw, [2, 2, self.nc + 1, self.nm], 4)
        across = torch.arange(width, dtype=raw.dtype).view(1, 1, 1, -1).expand(1, 1, height, width)
        down = torch.arange(height, dtype=raw.dtype).view(1, 1, -1, 1).expand(1, 1, height, width)
        grid = torch.stack((across, down), 4) - 0.5
        xy = (xy.sigmoid() * 2 + grid) * stride
        wh = (wh.sigmoid() * 2) ** 2 * (anchors * stride).view(1, self.na, 1, 1, 2)
        parts = (xy, wh, scores.sigmoid(), masks) if self.nm else (xy, wh, scores.sigmoid())
        return torch.cat(parts, 4).reshape(batch, -1, self.no)


class AnchorProto(nn.Module):
    """Prototypes of masks, as YOLOv5 makes them."""

    def __init__(self, c1: int, hidden: int, masks: int) -> None:
        super().__init__()
        self.cv1 = Conv(c1, hidden, 3)
        self.upsample: nn.Module = nn.Upsample(scale_factor=2, mode="nearest")
        self.cv2 = Conv(hidden, hidden, 3)
        self.cv3 = Conv(hidden, masks)

    def forward(self, x: Tensor) -> Tensor:
        """Twice as wide and high as the features."""
        out: Tensor = self.cv3(self.cv2(self.upsample(self.cv1(x))))
        return out


class AnchorSegment(AnchorDetect):
    """The same head with masks."""

    def __init__(self, nc: int, anchors: Sequence[Sequence[float]], nm: int, npr: int, ch: Sequence[int]) -> None:
        super().__init__(nc, anchors, ch, nm)
        self.proto = AnchorProto(ch[0], npr, nm)

    def forward(self, x: list[Tensor]) -> tuple[Tensor, Tensor]:  # type: ignore[override]  # two outputs
        """Rows, and prototypes."""
        return super().forward(x), self.proto(x[0])


class DFL(nn.Module):
    """The mean of a distribution over distances."""

    def __init__(self, c1: int = _DISTANCES) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, 1, 1, bias=False).requires_grad_(False)
        self.conv.weight.data[:] = torch.arange(c1, dtype=torch.float32).view(1, c1, 1, 1)
        self.c1 = c1

    def forward(self, x: Tensor) -> Tensor:
        """Four distances for each cell."""
        batch, _, cells = x.shape
        out: Tensor = self.conv(x.view(batch, 4, self.c1, cells).transpose(2, 1).softmax(1)).view(batch, 4, cells)
        return out


class Detect(nn.Module):
    """The head of YOLOv8 and 11: each cell says how far it is to the edges of its box."""

    def __init__(self, nc: int, ch: Sequence[int], *, light: bool = False) -> None:
        super().__init__()
        self.nc = nc
        self.nl = len(ch)
        self.reg_max = _DISTANCES
        self.no = nc + self.reg_max * 4
        #: Pixels of the input for each cell of a level; set with the weights.
        self.stride: tuple[int, ...] = ()
        boxes, scores = max(16, ch[0] // 4, self.reg_max * 4), max(ch[0], min(nc, 100))
        self.cv2 = nn.ModuleList(_branch(each, boxes, 4 * self.reg_max) for each in ch)
        branch = _light_branch if light else _branch
        self.cv3 = nn.ModuleList(branch(each, scores, nc) for each in ch)
        self.dfl = DFL(self.reg_max)

    def forward(self, x: list[Tensor]) -> Tensor:
        """Columns of centre x, centre y, width, height, and a score a label."""
        levels = [
            torch.cat((box(each), score(each)), 1) for each, box, score in zip(x, self.cv2, self.cv3, strict=True)
        ]
        flat = torch.cat([each.flatten(2) for each in levels], 2)
        box, scores = torch.split(flat, [self.reg_max * 4, self.nc], 1)
        centres, strides = _cells(levels, self.stride)
        near, far = self.dfl(box).chunk(2, 1)
        first, last = centres - near, centres + far
        return torch.cat(((first + last) / 2 * strides, (last - first) * strides, scores.sigmoid()), 1)


def _branch(c1: int, hidden: int, c2: int) -> nn.Sequential:
    return nn.Sequential(Conv(c1, hidden, 3), Conv(hidden, hidden, 3), nn.Conv2d(hidden, c2, 1))


def _light_branch(c1: int, hidden: int, c2: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(DWConv(c1, c1, 3), Conv(c1, hidden)),
        nn.Sequential(DWConv(hidden, hidden, 3), Conv(hidden, hidden)),
        nn.Conv2d(hidden, c2, 1),
    )


def _cells(levels: list[Tensor], strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Centres of all cells in units of their size (1 × 2 × n), and that size in pixels (1 × 1 × n)."""
    centres, sizes = [], []
    for level, stride in zip(levels, strides, strict=True):
        height, width = level.shape[2:]
        across = (torch.arange(width, dtype=level.dtype) + 0.5).view(1, -1).expand(height, width)
        down = (torch.arange(height, dtype=level.dtype) + 0.5).view(-1, 1).expand(height, width)
        cells = torch.stack((across, down)).flatten(1)
        centres.append(cells)
        sizes.append(torch.ones_like(cells[:1]) * stride)
    return torch.cat(centres, 1)[None], torch.cat(sizes, 1)[None]


class Proto(AnchorProto):
    """Prototypes of masks, as YOLOv8 makes them."""

    def __init__(self, c1: int, hidden: int, masks: int) -> None:
        super().__init__(c1, hidden, masks)
        self.upsample = nn.ConvTranspose2d(hidden, hidden, 2, 2, 0, bias=True)


class Segment(Detect):
    """The same head with masks."""

    def __init__(self, nc: int, nm: int, npr: int, ch: Sequence[int], *, light: bool = False) -> None:
        super().__init__(nc, ch, light=light)
        self.nm = nm
        self.npr = npr
        self.proto = Proto(ch[0], npr, nm)
        hidden = max(ch[0] // 4, nm)
        self.cv4 = nn.ModuleList(_branch(each, hidden, nm) for each in ch)

    def forward(self, x: list[Tensor]) -> tuple[Tensor, Tensor]:  # type: ignore[override]  # two outputs
        """Columns, and prototypes."""
        masks = torch.cat([branch(each).flatten(2) for each, branch in zip(x, self.cv4, strict=True)], 2)
        return torch.cat((super().forward(x), masks), 1), self.proto(x[0])
