"""Faster and Mask R-CNN: proposals from a feature pyramid, then a class, a box and a mask for each.

The parts with weights come from elsewhere (Detectron2's layout, torchvision's modules); here stands how
they work together. One image in, left unpadded; out come boxes, scores, labels (0 is the first thing,
not the background) and masks, in no order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.models.architectures.boxes import (
    NEVER,
    at_least,
    best,
    clipped,
    decoded,
    grid_anchors,
    padded,
    pooled,
    suppressed,
)


@dataclass(frozen=True, slots=True)
class ProposalRules:
    """How proposals are chosen."""

    #: Pixels between anchors, for each level; None to reckon them from the sizes of image and level.
    strides: tuple[int, ...] | None
    #: Where in its cell an anchor lies, 0 to 1.
    offset: float
    #: What the network's numbers are divided by.
    weights: tuple[float, ...]
    #: Most candidates of a level, and most proposals in all.
    before: int
    after: int
    iou: float
    #: Proposals that are not wider and higher than this are left out, pixels.
    least_side: float


@dataclass(frozen=True, slots=True)
class RoiRules:
    """How things are found in proposals."""

    #: What the network's numbers are divided by.
    weights: tuple[float, ...]
    #: Least score.
    threshold: float
    iou: float
    #: Most detections.
    limit: int
    #: Detections that are not wider and higher than this are left out, pixels.
    least_side: float
    #: Column of the class that means nothing: 0 or -1.
    background: int
    #: Rows and columns that a box and a mask are pooled to.
    box_side: int
    mask_side: int
    #: Samples in a cell; 0 for as many as the box has pixels.
    box_samples: int
    mask_samples: int
    #: Whether pixels have their centres at halves.
    aligned: bool
    #: Added to the logarithm that chooses the level of a box: inside it, and after it.
    level_epsilons: tuple[float, float]
    #: Whether scores are found by a sigmoid instead of a softmax.
    sigmoid: bool = False


class TwoStage(nn.Module):
    """The whole network; see the module's text."""

    def __init__(
        self,
        *,
        backbone: nn.Module,
        proposal_head: nn.Module,
        anchors: Sequence[Tensor],
        proposals: ProposalRules,
        box_head: nn.Module,
        mask_head: nn.Module | None,
        rules: RoiRules,
    ) -> None:
        super().__init__()
        #: Image to feature maps, the finest (a quarter) first; the last only for proposals.
        self.backbone = backbone
        #: Feature maps to objectness and shifts of anchors.
        self.proposal_head = proposal_head
        #: Pooled boxes to class logits and shifts.
        self.box_head = box_head
        #: Pooled boxes to logits of masks.
        self.mask_head = mask_head
        self._anchors = list(anchors)
        self._proposals = proposals
        self._rules = rules

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Boxes, scores, labels and perhaps masks of an image of 1 × 3 × height × width, normalised."""
        canvas = padded(image, 32)
        features: list[Tensor] = self.backbone(canvas)
        proposals = self._propose(features, image, canvas)
        boxes, scores, labels = self._detect(features[:-1], proposals, image)
        if self.mask_head is None:
            return boxes, scores, labels
        rules = self._rules
        rows, places = pooled(
            features[:-1],
            boxes,
            self._levels(boxes, len(features) - 1),
            rules.mask_side,
            ratio=rules.mask_samples,
            aligned=rules.aligned,
        )
        # Boxes follow their masks: putting boxes in order is cheaper than masks.
        return boxes[places], scores[places], labels[places], self._masks(rows, labels[places])

    def _propose(self, features: Sequence[Tensor], image: Tensor, canvas: Tensor) -> Tensor:
        """Boxes where something may be: n × 4."""
        rules = self._proposals
        all_boxes, all_scores = [], []
        logits, deltas = self.proposal_head(features)
        for level, feature in enumerate(features):
            stride = rules.strides[level] if rules.strides else None
            anchors = grid_anchors(self._anchors[level], feature, canvas, stride, rules.offset)
            scores, places = best(_by_cell(logits[level], 1)[:, 0], rules.before)
            boxes = decoded(_by_cell(deltas[level], 4)[places], anchors[places], rules.weights)
            boxes = clipped(boxes, image)
            valid = torch.where(at_least(boxes, rules.least_side), scores, torch.full_like(scores, NEVER))
            kept = suppressed(boxes[None], valid[None, None], rules.iou, NEVER / 2, rules.after)[:, 2]
            all_boxes.append(boxes[kept])
            all_scores.append(scores[kept])
        chosen = best(torch.cat(all_scores), rules.after)[1]
        return torch.cat(all_boxes)[chosen]

    def _levels(self, boxes: Tensor, count: int) -> Tensor:
        """The level whose cells suit the size of each box: 0 is the finest."""
        inside, after = self._rules.level_epsilons
        side = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt()
        return (torch.log2(side / 224 + inside) + (2 + after)).floor().clamp(0, count - 1)

    def _detect(self, features: Sequence[Tensor], proposals: Tensor, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes, scores and labels, the best first."""
        rules = self._rules
        levels = self._levels(proposals, len(features))
        rows, places = pooled(
            features, proposals, levels, rules.box_side, ratio=rules.box_samples, aligned=rules.aligned
        )
        logits, deltas = self.box_head(rows)
        things = slice(1, None) if rules.background == 0 else slice(None, -1)
        scores = (logits.sigmoid() if rules.sigmoid else logits.softmax(dim=1))[:, things].T
        if deltas.shape[1] == 4:  # one box for all classes
            shifts = deltas[None].expand(scores.shape[0], -1, -1)
        else:
            shifts = deltas.reshape(deltas.shape[0], -1, 4).transpose(0, 1)
            shifts = shifts[1:] if rules.background == 0 else shifts
        boxes = clipped(decoded(shifts, proposals[places][None], rules.weights), image)
        scores = torch.where(at_least(boxes, rules.least_side), scores, torch.zeros_like(scores))
        kept = suppressed(boxes, scores[:, None], rules.iou, rules.threshold, rules.limit)
        labels, numbers = kept[:, 0], kept[:, 2]
        found, chosen = best(scores[labels, numbers], rules.limit)
        labels, numbers = labels[chosen], numbers[chosen]
        return boxes[labels, numbers], found, labels

    def _masks(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Masks over their boxes, 0 to 1: n × height × width."""
        logits: Tensor = self.mask_head(rows)  # type: ignore[misc]  # only called where there is one
        if logits.shape[1] == 1:  # one mask for all classes
            return logits[:, 0].sigmoid()
        first = 1 if self._rules.background == 0 else 0
        return logits[torch.arange(labels.shape[0]), labels + first].sigmoid()


def _by_cell(values: Tensor, numbers: int) -> Tensor:
    """What a convolution says of each anchor: 1 × (anchors · numbers) × height × width to n × numbers."""
    return values[0].permute(1, 2, 0).reshape(-1, numbers)
