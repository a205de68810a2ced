"""What a network should find on an image, as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from limner.annotations.annotation import Annotation
from limner.annotations.masks import shape_to_array
from limner.annotations.shapes import Mask
from limner.training.datasets.dataset import DatasetPage


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """What is on an image."""

    #: Left, top, right and bottom in pixels of the image, each with an area: float32 [N, 4].
    boxes: Tensor
    #: Positions among the dataset's labels, from 0: int64 [N].
    labels: Tensor
    #: One a box: uint8 [N, height, width]; None where nobody needs them.
    masks: Tensor | None = None
    #: Zones in which nothing is known: float32 [M, 4].
    ignore: Tensor
    #: Whether a label was looked for on this image: bool [labels].
    exhaustive: Tensor
    #: Number of the page among those that are read.
    page: int = 0

    def to(self, device: torch.device | str) -> Target:
        """The same on another device."""
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in _TENSORS}
        masks = None if self.masks is None else self.masks.to(device, non_blocking=True)
        return replace(self, masks=masks, **moved)

    def only(self, kept: Tensor) -> Target:
        """The same with some of the things, by bool [N] or positions."""
        masks = None if self.masks is None else self.masks[kept]
        return replace(self, boxes=self.boxes[kept], labels=self.labels[kept], masks=masks)


_TENSORS = ("boxes", "labels", "ignore", "exhaustive")


def target_of(
    page: DatasetPage, places: Mapping[str, int], size: tuple[int, int], *, masks: bool = False, number: int = 0
) -> Target:
    """The target of a page whose image was scaled to some width and height, pixels.

    ``places`` are the labels' positions; annotations of others are left out. What is smaller than a pixel
    after scaling is ignored and not learnt: nobody could see it.
    """
    scale = torch.tensor([size[0] / page.page.width, size[1] / page.page.height] * 2, dtype=torch.float32)
    limits = torch.tensor([*size, *size], dtype=torch.float32)
    known = [each for each in page.annotations if each.label in places]
    boxes = torch.minimum((_corners([each.shape.bounds.corners for each in known]) * scale).clamp(min=0), limits)
    seen = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(dim=1)
    labels = torch.tensor([places[each.label] for each in known], dtype=torch.int64)
    target = Target(
        boxes=boxes,
        labels=labels,
        masks=_masks(page, known, size) if masks else None,
        ignore=torch.cat([_corners([each.corners for each in page.ignore]) * scale, boxes[~seen]]),
        exhaustive=torch.tensor([page.exhaustive is None or label in page.exhaustive for label in places]),
        page=number,
    )
    return target.only(seen)


def _corners(boxes: Sequence[tuple[float, float, float, float]]) -> Tensor:
    return torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)


def _masks(page: DatasetPage, annotations: Sequence[Annotation], size: tuple[int, int]) -> Tensor:
    """Masks at the size of the scaled image; outlines are drawn there, so that large pages cost no more."""
    out = np.zeros((len(annotations), size[1], size[0]), dtype=np.uint8)
    scale = (size[0] / page.page.width, size[1] / page.page.height)
    for at, annotation in enumerate(annotations):
        match annotation.shape:
            case Mask() as mask:
                full = shape_to_array(mask, mask.width, mask.height).astype(np.uint8)
                out[at] = cv2.resize(full, size, interpolation=cv2.INTER_NEAREST)
            case shape:
                out[at] = shape_to_array(shape.scaled(*scale), *size)
    return torch.from_numpy(out)
