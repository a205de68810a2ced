"""Pixel classes with a border that parts neighbours: what a network should say of each pixel, and its loss.

Class 0 is nothing, 1 to K are the labels, K + 1 is the border between two things of one label.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from limner.training.data.targets import Target
from limner.training.detection.unknowns import label_costs

#: How far things reach out for their neighbours, pixels.
REACH = 2
#: Rare classes weigh more, but not more than by this.
_HEAVIEST = 10.0
#: Least weight of all pixels on nothing together; keeps empty pages from dividing by 0.
_LEAST = 1e-6


def pixel_classes(target: Target, labels: int, size: tuple[int, int], reach: int = REACH) -> Tensor:
    """The class of each pixel of an image, int64 [height, width]; ``target`` has masks.

    Smaller things lie over larger ones. Pixels within ``reach`` of two things of one label that belong to
    neither, or to the larger one only, are border.
    """
    classes = torch.zeros(size, dtype=torch.int64, device=target.boxes.device)
    if target.masks is None or not len(target.masks):
        return classes
    near = torch.zeros(labels, *size, dtype=torch.bool, device=classes.device)
    areas = target.masks.flatten(1).sum(dim=1, dtype=torch.int64)
    for at in areas.argsort(descending=True, stable=True).tolist():
        label = int(target.labels[at])
        part = _around(target.boxes[at], reach, size)
        mask = target.masks[at][part].bool()
        grown = functional.max_pool2d(mask[None].float(), 2 * reach + 1, 1, reach)[0] > 0
        own, others = classes[part], near[label][part]
        own[mask] = label + 1
        own[grown & ~mask & others] = labels + 1
        others |= grown
    return classes


def _around(box: Tensor, reach: int, size: tuple[int, int]) -> tuple[slice, slice]:
    """The part of an image in which a thing and what it reaches lie."""
    left, top, right, bottom = box.tolist()
    first_x, first_y = max(0, int(left) - reach - 1), max(0, int(top) - reach - 1)
    return slice(first_y, min(size[0], int(bottom) + reach + 2)), slice(first_x, min(size[1], int(right) + reach + 2))


def known_pixels(target: Target, classes: Tensor) -> Tensor:
    """Which pixels teach anything: all but those in an ignore zone on which there is no thing."""
    known = torch.ones_like(classes, dtype=torch.bool)
    for left, top, right, bottom in target.ignore.round().int().tolist():
        known[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = False
    return known | (classes > 0)


def class_weights(classes: Tensor, count: int) -> Tensor:
    """What a pixel of each class weighs: the root of how rare it is, 1 for nothing."""
    numbers = torch.bincount(classes, minlength=count).float()
    weights = (numbers[0].clamp(min=1) / numbers.clamp(min=1)).sqrt().clamp(1 / _HEAVIEST, _HEAVIEST)
    weights[0] = 1.0
    return weights


def pixel_losses(logits: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Balanced cross-entropy, and Dice over the labels that were looked for; ``logits`` [K + 2, height, width]."""
    count = len(logits)
    size = (logits.shape[1], logits.shape[2])
    classes = pixel_classes(target, count - 2, size)
    known = known_pixels(target, classes)
    rows, wanted = logits.permute(1, 2, 0)[known], classes[known]
    weights = class_weights(wanted, count)[wanted]
    costs = label_costs(rows, wanted, target.exhaustive) * weights
    return costs.sum() / weights.sum().clamp(min=_LEAST), _dice(rows, wanted, target.exhaustive)


def _dice(rows: Tensor, wanted: Tensor, exhaustive: Tensor) -> Tensor:
    """1 minus twice what is common divided by what there is, in the mean over labels that are there."""
    columns = [at + 1 for at, looked in enumerate(exhaustive.tolist()) if looked and bool((wanted == at + 1).any())]
    if not columns:
        return rows.sum() * 0
    chances = rows.float().softmax(dim=1)[:, columns]
    there = torch.stack([wanted == each for each in columns], dim=1).float()
    common, both = (chances * there).sum(dim=0), (chances + there).sum(dim=0)
    return (1 - 2 * common / both).mean()
