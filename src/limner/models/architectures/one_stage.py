"""RetinaNet, FCOS and SSD: a class and a box for each anchor, without proposals.

The parts with weights are torchvision's modules; here stands how their answers become detections. One
image in, left unpadded; out come boxes, scores and labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.models.architectures.boxes import best, clipped, decoded, grid_anchors, padded, suppressed


@dataclass(frozen=True, slots=True)
class OneStageRules:
    """How detections are chosen."""

    #: Only scores above this count.
    threshold: float
    iou: float
    #: Most candidates (of a level, or in SSD of a label), and most detections.
    candidates: int
    limit: int
    #: What the network's numbers for boxes are divided by.
    weights: tuple[float, ...]
    #: The image is padded to a multiple of this, pixels.
    multiple: int = 32


class DenseDetector(nn.Module):
    """RetinaNet and FCOS: anchors on a pyramid, each label on its own."""

    def __init__(self, backbone: nn.Module, head: nn.Module, anchors: Sequence[Tensor], rules: OneStageRules) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._anchors = list(anchors)
        self._rules = rules

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes, scores and labels (as the network numbers them) of an image of 1 × 3 × height × width, normalised."""
        canvas = padded(image, self._rules.multiple)
        parts = [
            self._level(feature, cell, image, canvas)
            for feature, cell in zip(self.backbone(canvas), self._anchors, strict=True)
        ]
        boxes, scores, labels = (torch.cat(each) for each in zip(*(part[:3] for part in parts), strict=True))
        # A row of scores for each label, for suppression goes label by label.
        rows = torch.where(labels[None] == torch.arange(parts[0][3])[:, None], scores[None], torch.zeros(1))
        kept = suppressed(boxes[None], rows[None], self._rules.iou, self._rules.threshold, self._rules.limit)[:, 2]
        found, chosen = best(scores[kept], self._rules.limit)
        return boxes[kept[chosen]], found, labels[kept[chosen]]

    def _level(
        self, feature: Tensor, cell: Tensor, image: Tensor, canvas: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, int]:
        """The best boxes, scores and labels of one level of the pyramid, and how many labels there are."""
        rules = self._rules
        said = self.head([feature])
        logits, shifts = said["cls_logits"][0], said["bbox_regression"][0]
        centred = said["bbox_ctrness"][0] if "bbox_ctrness" in said else None
        count = int(self.head.classification_head.num_classes)  # type: ignore[union-attr, arg-type]  # torchvision's
        # The best pairs of anchor and label lie among the anchors whose best label is best: of the others,
        # which are many, nothing more is reckoned.
        places = best(_scores(logits.amax(dim=1, keepdim=True), centred)[:, 0], rules.candidates)[1]
        centred = None if centred is None else centred[places]
        scores, pairs = best(_scores(logits[places], centred).flatten(), rules.candidates)
        rows = places[torch.div(pairs, count, rounding_mode="floor")]
        anchors = grid_anchors(cell, feature, canvas, None)[rows]
        near = shifts[rows]
        boxes = _around(near, anchors) if centred is not None else decoded(near, anchors, rules.weights)
        return clipped(boxes, image), scores, pairs % count, count


def _scores(logits: Tensor, centred: Tensor | None) -> Tensor:
    """Scores of labels; in FCOS also by how far inside a thing the anchor lies."""
    if centred is None:
        return logits.sigmoid()
    return (logits.sigmoid() * centred.sigmoid()).sqrt()


def _around(distances: Tensor, anchors: Tensor) -> Tensor:
    """Boxes from the distances of their edges to the middle of an anchor, in lengths of the anchor (FCOS)."""
    size = anchors[:, 2:] - anchors[:, :2]
    centre = (anchors[:, :2] + anchors[:, 2:]) / 2
    return torch.cat([centre - distances[:, :2] * size, centre + distances[:, 2:] * size], dim=1)


class SingleShotDetector(nn.Module):
    """SSD: one input size, the labels of an anchor share its score."""

    def __init__(self, backbone: nn.Module, head: nn.Module, anchors: Tensor, rules: OneStageRules) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        #: n × 4, for the one size of the input.
        self.register_buffer("anchors", anchors)
        self._rules = rules

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes, scores and labels (0 is the first thing, not the background) of an image, normalised."""
        rules = self._rules
        said = self.head(self.backbone(image))
        boxes = clipped(decoded(said["bbox_regression"][0], self.get_buffer("anchors"), rules.weights), image)
        scores = said["cls_logits"][0].softmax(dim=1)[:, 1:].T
        highest, places = scores.topk(min(rules.candidates, int(self.get_buffer("anchors").shape[0])), dim=1)
        kept = suppressed(boxes[places], highest[:, None], rules.iou, rules.threshold, rules.limit)
        labels, numbers = kept[:, 0], kept[:, 2]
        found, chosen = best(highest[labels, numbers], rules.limit)
        labels, numbers = labels[chosen], numbers[chosen]
        return boxes[places[labels, numbers]], found, labels
