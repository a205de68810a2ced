"""Changes that see several pages: parts of four pages on one, and things of one page put onto another.

What comes of it follows from torch's chance alone, which a preset sets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from limner.training.augment.geometry import VISIBLE, cropped
from limner.training.data.samples import Others, Plain
from limner.training.data.targets import Target

#: Least and greatest part of the sides at which pages meet.
_MEET = (0.35, 0.65)
#: How much larger than needed a part may be drawn.
_LARGER = 1.6
#: Most things that are put onto another page.
_MOST = 4


class Mixer(Protocol):
    """Changes a page with the help of others."""

    def __call__(self, image: Tensor, target: Target, others: Others) -> Plain:
        """A changed copy."""


def mosaic(image: Tensor, target: Target, others: Others) -> Plain:
    """Parts of four pages in the four corners, the page itself at the top left; the size stays."""
    height, width = image.shape[1:]
    low, high = _MEET
    x, y = (max(1, round(side * (low + (high - low) * float(torch.rand(()))))) for side in (width, height))
    out, parts = torch.empty_like(image), []
    corners = ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height))
    for at, (left, top, right, bottom) in enumerate(corners):
        page = (image, target) if at == 0 else others.draw()
        picture, known = _filling(*page, (right - left, bottom - top))
        out[:, top:bottom, left:right] = picture
        parts.append(_placed(known, left, top, (width, height)))
    return out, _together(parts)


def pasted_things(image: Tensor, target: Target, others: Others) -> Plain:
    """Some things of another page, put down by chance: by their masks, or with their boxes where there are none."""
    source, known = others.draw()
    number = 1 + int(torch.randint(_MOST, ()))
    image = image.clone()
    for at in torch.randperm(len(known.boxes))[:number].tolist():
        thing = known.only(torch.tensor([at]))
        if not _meets(thing.boxes[0], known.ignore):  # nobody knows what would come along
            image, target = _put(image, target, source, thing)
    return image, target


def _filling(image: Tensor, target: Target, size: tuple[int, int]) -> Plain:
    """A part of a page, by chance, that fills some width and height."""
    height, width = image.shape[1:]
    scale = max(size[0] / width, size[1] / height) * (1 + (_LARGER - 1) * float(torch.rand(())))
    across, down = max(size[0], round(width * scale)), max(size[1], round(height * scale))
    image, target = _scaled(image, target, (across, down))
    left, top = int(torch.randint(across - size[0] + 1, ())), int(torch.randint(down - size[1] + 1, ()))
    return cropped(image, target, (left, top, left + size[0], top + size[1]))


def _scaled(image: Tensor, target: Target, size: tuple[int, int]) -> Plain:
    scale = torch.tensor([size[0] / image.shape[2], size[1] / image.shape[1]] * 2)
    shape, masks = [size[1], size[0]], target.masks
    if masks is not None:
        masks = tv.resize(masks, shape, InterpolationMode.NEAREST_EXACT) if len(masks) else masks.new_zeros(0, *shape)
    image = tv.resize(image, shape, InterpolationMode.BILINEAR, antialias=True)
    return image, replace(target, boxes=target.boxes * scale, ignore=target.ignore * scale, masks=masks)


def _placed(target: Target, left: int, top: int, size: tuple[int, int]) -> Target:
    """What is on a part, as it lies on an image of some width and height."""
    shift, masks = torch.tensor([left, top] * 2), target.masks
    if masks is not None:
        whole = masks.new_zeros(len(masks), size[1], size[0])
        whole[:, top : top + masks.shape[1], left : left + masks.shape[2]] = masks
        masks = whole
    return replace(target, boxes=target.boxes + shift, ignore=target.ignore + shift, masks=masks)


def _together(parts: Sequence[Target]) -> Target:
    """All of some targets of one image; a label was looked for where that is so in every part."""
    masks = [each.masks for each in parts if each.masks is not None]
    return replace(
        parts[0],
        boxes=torch.cat([each.boxes for each in parts]),
        labels=torch.cat([each.labels for each in parts]),
        masks=torch.cat(masks) if masks else None,
        ignore=torch.cat([each.ignore for each in parts]),
        exhaustive=torch.stack([each.exhaustive for each in parts]).all(dim=0),
    )


def _put(image: Tensor, target: Target, source: Tensor, thing: Target) -> Plain:
    """One thing of another page onto a page, where it fits."""
    height, width = image.shape[1:]
    left, top = (math.floor(edge) for edge in thing.boxes[0, :2].tolist())
    right = min(math.ceil(float(thing.boxes[0, 2])), source.shape[2])
    bottom = min(math.ceil(float(thing.boxes[0, 3])), source.shape[1])
    across, down = right - left, bottom - top
    if across > width or down > height:
        return image, target
    x, y = int(torch.randint(width - across + 1, ())), int(torch.randint(height - down + 1, ()))
    shape = torch.ones(down, across, dtype=torch.bool)
    if thing.masks is not None:
        shape = thing.masks[0, top:bottom, left:right].bool()
    under = image[:, y : y + down, x : x + across]
    image[:, y : y + down, x : x + across] = torch.where(shape, source[:, top:bottom, left:right], under)
    covered = torch.zeros(height, width, dtype=torch.bool)
    covered[y : y + down, x : x + across] = shape
    own = replace(
        target,
        boxes=thing.boxes + torch.tensor([x - left, y - top] * 2),
        labels=thing.labels,
        masks=None if target.masks is None else covered[None].to(torch.uint8),
        ignore=target.ignore[:0],
    )
    return image, _together([_hidden(target, covered), own])


def _hidden(target: Target, covered: Tensor) -> Target:
    """What is on a page of which some pixels are covered; what is hidden for the most part is ignored."""
    if not len(target.boxes):
        return target
    if target.masks is None:
        share, masks = _uncovered(target.boxes, covered), None
    else:
        masks = target.masks * ~covered
        share = masks.flatten(1).sum(dim=1) / target.masks.flatten(1).sum(dim=1).clamp(min=1)
    seen = share >= VISIBLE
    part = target.boxes[~seen & (share > 0)]
    return replace(target, masks=masks, ignore=torch.cat([target.ignore, part])).only(seen)


def _uncovered(boxes: Tensor, covered: Tensor) -> Tensor:
    """The share of each box that is not covered."""
    corners = boxes.int().tolist()
    parts = [covered[top : bottom + 1, left : right + 1] for left, top, right, bottom in corners]
    return torch.tensor([1 - float(part.float().mean()) for part in parts])


def _meets(box: Tensor, zones: Tensor) -> bool:
    return bool(((torch.minimum(box[2:], zones[:, 2:]) - torch.maximum(box[:2], zones[:, :2])) > 0).all(dim=1).any())
