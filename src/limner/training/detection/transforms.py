"""What torchvision's detectors do to images before and to answers after, without their scaling."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection.transform import GeneralizedRCNNTransform

Targets: TypeAlias = dict[str, Tensor]

#: What the colours of images are normalised by: mean and deviation of photographs (ImageNet).
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Unscaled(GeneralizedRCNNTransform):  # type: ignore[misc]  # torchvision has no types
    """Normalises and pads; images come in the size in which they are looked at."""

    def __init__(self) -> None:
        super().__init__(1, 1, list(MEAN), list(STD))

    def resize(self, image: Tensor, target: Targets | None = None) -> tuple[Tensor, Targets | None]:
        """As it is."""
        return image, target

    def postprocess(
        self,
        result: list[Targets],
        image_shapes: list[tuple[int, int]],
        original_image_sizes: list[tuple[int, int]],  # noqa: ARG002  # torchvision's
    ) -> list[Targets]:
        """Boxes as they are, masks laid over their image: bool [N, height, width]."""
        for found, size in zip(result, image_shapes, strict=not self.training):  # nothing is found while learning
            if "masks" in found:
                found["masks"] = pasted(found["masks"][:, 0], found["boxes"], size)
        return result


class Stretched(GeneralizedRCNNTransform):  # type: ignore[misc]  # torchvision has no types
    """Normalises and stretches to a square, ignore zones too."""

    def __init__(self, side: int) -> None:
        super().__init__(side, side, [0.5] * 3, [0.5] * 3, size_divisible=1, fixed_size=(side, side))

    def resize(self, image: Tensor, target: Targets | None = None) -> tuple[Tensor, Targets | None]:
        """The image and what is on it at the side of the square."""
        height, width = image.shape[-2:]
        image, target = super().resize(image, target)
        if target is not None:
            scale = image.new_tensor([image.shape[-1] / width, image.shape[-2] / height] * 2)
            target["ignore"] = target["ignore"] * scale
        return image, target


def pasted(masks: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks that fill their boxes, [N, side, side] from 0 to 1, as bool [N, height, width].

    As they are served: a pixel is inside where the mask, read between its values, is at least a half.
    """
    height, width = size
    out = torch.zeros(len(masks), height, width, dtype=torch.bool, device=masks.device)
    for at, (left, top, right, bottom) in enumerate(boxes.tolist()):
        first_x, first_y = (max(0, math.ceil(edge - 0.5)) for edge in (left, top))
        last_x, last_y = min(width, math.ceil(right - 0.5)), min(height, math.ceil(bottom - 0.5))
        if last_x <= first_x or last_y <= first_y:
            continue
        xs = (torch.arange(first_x, last_x, device=masks.device) + 0.5 - left) / (right - left) * 2 - 1
        ys = (torch.arange(first_y, last_y, device=masks.device) + 0.5 - top) / (bottom - top) * 2 - 1
        grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1)[None]
        values = functional.grid_sample(masks[at][None, None].float(), grid, align_corners=False)
        out[at, first_y:last_y, first_x:last_x] = values[0, 0] >= 0.5
    return out
