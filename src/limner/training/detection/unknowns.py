"""What nobody knows about an image, for networks that learn from boxes or pixels: it must not teach anything."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: A box of which so much lies in a zone could be learnt for a thing there: boxes that have less in common with
#: a thing than this, as intersection over union, count as nothing in all of these networks.
_INSIDE = 0.3


def in_zones(boxes: Tensor, zones: Tensor) -> Tensor:
    """Whether a good part of a box lies in one of some ignore zones: bool [boxes]."""
    if not len(zones) or not len(boxes):
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    low = torch.maximum(boxes[:, None, :2], zones[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], zones[None, :, 2:])
    common = (high - low).clamp(min=0).prod(dim=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1, keepdim=True).clamp(min=1e-9)
    return ((common / areas) >= _INSIDE).any(dim=1)


def label_costs(logits: Tensor, wanted: Tensor, exhaustive: Tensor) -> Tensor:
    """Cross-entropy of each row: [rows].

    ``logits`` are [rows, 1 + labels] or more, column 0 for nothing; ``wanted`` are columns. Where nothing is
    wanted, it may as well be one of the labels that nobody looked for, or the border of one: only their sum
    is learnt.
    """
    logs = functional.log_softmax(logits.float(), dim=1)
    costs = -logs.gather(1, wanted[:, None])[:, 0]
    if bool(exhaustive.all()):
        return costs
    possible = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
    possible[1 : 1 + len(exhaustive)] = ~exhaustive
    return torch.where(wanted == 0, -logs[:, possible].logsumexp(dim=1), costs)
