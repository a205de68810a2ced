"""Moving, scaling and turning an image together with what is on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from limner.training.data.targets import Target

#: Of a thing that the edge cuts, the share that must be left for it to be learnt; less is ignored.
VISIBLE = 0.4
#: Colour around an image that was moved: about that of paper in shade.
_GROUND = (178.0, 170.0, 155.0)


@dataclass(frozen=True, slots=True)
class Movement:
    """A similarity about the middle of an image, perhaps mirrored first."""

    #: Anticlockwise, degrees.
    angle: float = 0.0
    scale: float = 1.0
    #: To the right and down, pixels.
    shift: tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False


def moved(image: Tensor, target: Target, movement: Movement) -> tuple[Tensor, Target]:
    """The image (uint8 [3, height, width]) and its target, moved; the size stays."""
    height, width = image.shape[-2:]
    masks = target.masks
    if movement.mirrored:
        image, masks = image.flip(-1), None if masks is None else masks.flip(-1)
    shift = [movement.shift[0], movement.shift[1]]
    arguments = {"angle": -movement.angle, "translate": shift, "scale": movement.scale, "shear": [0.0, 0.0]}
    image = tv.affine(image, **arguments, interpolation=InterpolationMode.BILINEAR, fill=list(_GROUND))
    if masks is not None and len(masks):
        masks = tv.affine(masks, **arguments, interpolation=InterpolationMode.NEAREST)
    ignore = moved_boxes(target.ignore, movement, (width, height))
    whole = moved_boxes(target.boxes, movement, (width, height))
    return image, within(replace(target, boxes=whole, masks=masks, ignore=ignore), (width, height))


def within(target: Target, size: tuple[int, int]) -> Target:
    """A target whose boxes may reach out of an image of some width and height, cut there; masks are cut already.

    Things of which little is left are ignored.
    """
    boxes, share = _cut(target.boxes, size)
    seen = share >= VISIBLE
    zones = _cut(target.ignore, size)[0]
    zones = torch.cat([zones[(zones[:, 2:] > zones[:, :2]).all(dim=1)], boxes[(share > 0) & ~seen]])
    return replace(target, boxes=boxes, ignore=zones).only(seen)


def cropped(image: Tensor, target: Target, zone: tuple[int, int, int, int]) -> tuple[Tensor, Target]:
    """The part of an image between left, top, right and bottom in pixels, and what is on it."""
    left, top, right, bottom = zone
    shift = torch.tensor([left, top] * 2)
    masks = None if target.masks is None else target.masks[:, top:bottom, left:right]
    part = replace(target, boxes=target.boxes - shift, ignore=target.ignore - shift, masks=masks)
    return image[:, top:bottom, left:right], within(part, (right - left, bottom - top))


def turned(image: Tensor, target: Target, quarters: int) -> tuple[Tensor, Target]:
    """An image turned anticlockwise by quarters of a circle."""
    boxes, ignore, masks = target.boxes, target.ignore, target.masks
    for _ in range(quarters % 4):
        width = image.shape[2]
        image = image.rot90(1, (-2, -1))
        masks = None if masks is None else masks.rot90(1, (-2, -1))
        boxes, ignore = (
            torch.stack([each[:, 1], width - each[:, 2], each[:, 3], width - each[:, 0]], dim=1)
            for each in (boxes, ignore)
        )
    return image, replace(target, boxes=boxes, ignore=ignore, masks=masks)


def moved_boxes(boxes: Tensor, movement: Movement, size: tuple[int, int]) -> Tensor:
    """The upright boxes around moved ones, [N, 4] in pixels; they may lie outside the image."""
    if not len(boxes):
        return boxes
    width, height = size
    left, top, right, bottom = boxes.unbind(dim=1)
    if movement.mirrored:
        left, right = width - right, width - left
    corners = torch.stack(
        [torch.stack([x, y], dim=1) for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))], dim=1
    )
    angle = torch.deg2rad(torch.tensor(movement.angle))
    turn = movement.scale * torch.tensor([[angle.cos(), angle.sin()], [-angle.sin(), angle.cos()]])
    middle = torch.tensor([width / 2, height / 2])
    out = (corners - middle) @ turn.T + middle + torch.tensor(movement.shift)
    return torch.cat([out.amin(dim=1), out.amax(dim=1)], dim=1)


def _cut(boxes: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Boxes within the image, and the share that is left of each."""
    limits = torch.tensor([*size, *size], dtype=torch.float32)
    inside = torch.minimum(boxes.clamp(min=0), limits)
    areas = (inside[:, 2:] - inside[:, :2]).clamp(min=0).prod(dim=1)
    return inside, areas / (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).clamp(min=1e-9)
