"""Which points of a detector without anchors answer for which thing.

Task-aligned assignment (Feng et al., TOOD, 2021): of the points inside a thing, those take it whose score and box
together are best already, so that a sure score comes to mean a good box.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

from limner.training.data.targets import Target

#: How much score and overlap weigh in choosing …
_SCORE, _OVERLAP = 0.5, 6.0
#: … and how many points a thing gets.
_POINTS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """What each point of an image is to answer."""

    #: The thing of each point, -1 for none: [points].
    thing: Tensor
    #: The score that each label should get: [points, labels].
    scores: Tensor
    #: Whether the answer for a label counts at all: [points, labels].
    counts: Tensor


@torch.no_grad()
def assign(scores: Tensor, boxes: Tensor, points: Tensor, target: Target) -> Assignment:
    """Assign the things on an image to points.

    ``scores`` [points, labels] are from 0 to 1, ``boxes`` [points, 4] corners in pixels, ``points`` [points, 2].
    """
    wanted = torch.zeros_like(scores)
    thing = torch.full((len(points),), -1, dtype=torch.int64, device=points.device)
    if len(target.boxes):
        thing, quality = _chosen(scores, boxes, points, target)
        rows = torch.nonzero(thing >= 0)[:, 0]
        wanted[rows, target.labels[thing[rows]]] = quality[rows].to(wanted.dtype)
    return Assignment(thing, wanted, _counts(wanted, points, thing, target))


def _chosen(scores: Tensor, boxes: Tensor, points: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """The thing of each point, and how well that point should say so, 0 to 1."""
    inside = _inside(points, target.boxes)
    overlaps = box_iou(target.boxes, boxes.float()).clamp(min=0)
    alignment = scores[:, target.labels].T.float() ** _SCORE * overlaps**_OVERLAP
    # Where nothing overlaps yet, the nearest points come first.
    nearness = -_distance(points, target.boxes) * 1e-12
    rank = torch.where(inside, alignment + nearness, -torch.inf)
    best = rank.topk(min(_POINTS, len(points)), dim=1)
    taken = torch.zeros_like(inside).scatter_(1, best.indices, best.values > -torch.inf)
    # A point that several things want goes to the one that it overlaps most, the smaller one between equals.
    areas = (target.boxes[:, 2:] - target.boxes[:, :2]).prod(dim=1, keepdim=True)
    claim = torch.where(taken, overlaps - areas * 1e-12, -torch.inf)
    value, thing = claim.max(dim=0)
    thing = torch.where(value > -torch.inf, thing, -1)
    return thing, _quality(thing, alignment, overlaps)


def _quality(thing: Tensor, alignment: Tensor, overlaps: Tensor) -> Tensor:
    """The alignment of each point, scaled so that the best point of a thing gets its best overlap."""
    own = thing[None, :] == torch.arange(len(alignment), device=thing.device)[:, None]
    alignment, overlaps = alignment * own, overlaps * own
    most = alignment.amax(dim=1, keepdim=True)
    scaled = alignment / most.clamp(min=1e-12) * overlaps.amax(dim=1, keepdim=True)
    return scaled.amax(dim=0).clamp(0, 1)


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """Whether a point lies in a box: [boxes, points]; a box between all points gets the nearest one."""
    inside = (
        torch.minimum((points[None] - boxes[:, None, :2]).amin(dim=2), (boxes[:, None, 2:] - points[None]).amin(dim=2))
        > 0
    )
    lost = torch.nonzero(~inside.any(dim=1))[:, 0]
    if len(lost):
        inside[lost, _distance(points, boxes[lost]).argmin(dim=1)] = True
    return inside


def _distance(points: Tensor, boxes: Tensor) -> Tensor:
    """Between points and the centres of boxes, pixels: [boxes, points]."""
    return torch.cdist((boxes[:, :2] + boxes[:, 2:]) / 2, points)


def _counts(wanted: Tensor, points: Tensor, thing: Tensor, target: Target) -> Tensor:
    """Nothing is held against a point in an ignore zone, nor a label that nobody looked for."""
    counts = target.exhaustive[None, :].expand(wanted.shape).clone()
    if len(target.ignore):
        zones = ((points[None] >= target.ignore[:, None, :2]) & (points[None] <= target.ignore[:, None, 2:])).all(dim=2)
        counts &= ~zones.any(dim=0)[:, None]
    rows = torch.nonzero(thing >= 0)[:, 0]
    counts[rows, target.labels[thing[rows]]] = True
    return counts
