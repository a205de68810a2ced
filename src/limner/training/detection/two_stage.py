"""Faster and Mask R-CNN of torchvision, taught nothing by what nobody knows.

The parts that choose from proposals what is learnt, and the losses, are our own; targets hold ``ignore`` and
``exhaustive`` beside torchvision's ``boxes``, ``labels`` (from 1) and ``masks``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import RoIHeads, project_masks_on_boxes
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import initLevelMapper

from limner.training.detection.transforms import Targets, Unscaled
from limner.training.detection.trunks import Trunk
from limner.training.detection.unknowns import in_zones, label_costs

#: Where the L1 loss of boxes becomes a square.
_SMOOTH = 1 / 9
#: Least score of what the network answers at all.
LEAST = 0.05


class Proposals(RegionProposalNetwork):  # type: ignore[misc]  # torchvision has no types
    """Proposals know no labels: where a label was not looked for, nothing teaches that there is nothing."""

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[Targets]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """1 for anchors on a thing, 0 for those on nothing, -1 for those that teach nothing."""
        labels, boxes = super().assign_targets_to_anchors(anchors, targets)
        for each, own, target in zip(labels, anchors, targets, strict=True):
            unknown = in_zones(own, target["ignore"]) | ~target["exhaustive"].all()
            each[(each == 0) & unknown] = -1
        return labels, boxes

    def compute_loss(
        self, objectness: Tensor, pred_bbox_deltas: Tensor, labels: list[Tensor], regression_targets: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """torchvision's, and 0 where nothing is known of a whole batch."""
        if not any(bool((each >= 0).any()) for each in labels):
            nothing = (objectness.sum() + pred_bbox_deltas.sum()) * 0
            return nothing, nothing
        costs: tuple[Tensor, Tensor] = super().compute_loss(objectness, pred_bbox_deltas, labels, regression_targets)
        return costs


@dataclass(frozen=True, slots=True)
class Sampled:
    """What is learnt from an image."""

    boxes: Tensor
    #: Columns of the classes, 0 for nothing.
    labels: Tensor
    #: The thing of each box, of those that are on one.
    things: Tensor


class Heads(RoIHeads):  # type: ignore[misc]  # torchvision has no types
    """Labels, boxes and masks of proposals."""

    def forward(
        self,
        features: Mapping[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[Targets] | None = None,
    ) -> tuple[list[Targets], dict[str, Tensor]]:
        """What is found, or the losses."""
        if not self.training or targets is None:
            answer: tuple[list[Targets], dict[str, Tensor]] = super().forward(features, proposals, image_shapes)
            return answer
        chosen = [self.sample(*each) for each in zip(proposals, targets, strict=True)]
        pooled = self.box_roi_pool(features, [each.boxes for each in chosen], image_shapes)
        logits, shifts = self.box_predictor(self.box_head(pooled))
        losses = {"label": _labels_loss(logits, chosen, targets), "box": self._boxes_loss(shifts, chosen, targets)}
        if self.has_mask():
            positive = [each.boxes[each.labels > 0] for each in chosen]
            rows = self.mask_head(self.mask_roi_pool(features, positive, image_shapes))
            losses["mask"] = _masks_loss(self.mask_predictor(rows), positive, chosen, targets)
        return [], losses

    @torch.no_grad()
    def sample(self, proposals: Tensor, target: Targets) -> Sampled:
        """Some of the proposals: those on a thing, and about three times as many on nothing."""
        boxes = torch.cat([proposals, target["boxes"].to(proposals.dtype)])
        things, labels = self.assign_targets_to_proposals([boxes], [target["boxes"]], [target["labels"]])
        labels[0][(labels[0] == 0) & in_zones(boxes, target["ignore"])] = -1
        rows = self.subsample(labels)[0]
        return Sampled(boxes[rows], labels[0][rows], things[0][rows])

    def _boxes_loss(self, shifts: Tensor, chosen: Sequence[Sampled], targets: Sequence[Targets]) -> Tensor:
        boxes = torch.cat([each.boxes for each in chosen])
        labels = torch.cat([each.labels for each in chosen])
        rows = torch.nonzero(labels > 0)[:, 0]
        own = shifts.reshape(len(shifts), shifts.shape[1] // 4, 4)[rows, labels[rows]].float()
        wanted = torch.cat(
            [target["boxes"][each.things[each.labels > 0]] for each, target in zip(chosen, targets, strict=True)]
        )
        wanted = self.box_coder.encode_single(wanted.to(boxes.dtype), boxes[rows]).float()
        return functional.smooth_l1_loss(own, wanted, beta=_SMOOTH, reduction="sum") / max(1, len(labels))


def _labels_loss(logits: Tensor, chosen: Sequence[Sampled], targets: Sequence[Targets]) -> Tensor:
    rows = torch.split(logits, [len(each.boxes) for each in chosen])
    costs = [
        label_costs(own, each.labels, target["exhaustive"]).sum()
        for own, each, target in zip(rows, chosen, targets, strict=True)
    ]
    return torch.stack(costs).sum() / max(1, len(logits))


def _masks_loss(
    logits: Tensor, positive: Sequence[Tensor], chosen: Sequence[Sampled], targets: Sequence[Targets]
) -> Tensor:
    if not len(logits):
        return logits.sum() * 0
    wanted = [
        project_masks_on_boxes(target["masks"], boxes, each.things[each.labels > 0], logits.shape[-1])
        for boxes, each, target in zip(positive, chosen, targets, strict=True)
    ]
    labels = torch.cat([each.labels[each.labels > 0] for each in chosen])
    own = logits[torch.arange(len(labels), device=labels.device), labels]
    return functional.binary_cross_entropy_with_logits(own.float(), torch.cat(wanted).float())


def two_stage(labels: int, trunk: Trunk, *, masks: bool) -> FasterRCNN:
    """torchvision's network with these parts; its weights have torchvision's names."""
    anchors = AnchorGenerator(tuple((side,) for side in trunk.anchors), ((0.5, 1.0, 2.0),) * len(trunk.anchors))
    kind, width = (MaskRCNN if masks else FasterRCNN), trunk.width
    more = (
        {
            "mask_roi_pool": _pool(14),
            "mask_head": MaskRCNNHeads(width, (width,) * 4, 1),
            "mask_predictor": MaskRCNNPredictor(width, width, labels + 1),
        }
        if masks
        else {}
    )
    network = kind(
        trunk.pyramid((1, 2, 3, 4)),
        rpn_anchor_generator=anchors,
        box_roi_pool=_pool(7),
        box_head=TwoMLPHead(width * 49, trunk.dense),
        box_predictor=FastRCNNPredictor(trunk.dense, labels + 1),
        box_score_thresh=LEAST,
        **more,
    )
    network.transform, network.rpn, network.roi_heads = Unscaled(), _proposals(network.rpn), _heads(network.roi_heads)
    return network


def _pool(side: int) -> MultiScaleRoIAlign:
    pool = MultiScaleRoIAlign(["0", "1", "2", "3"], side, 2)
    # torchvision guesses these from the first image that it sees, wrongly where that is very thin.
    pool.scales, pool.map_levels = [1 / 4, 1 / 8, 1 / 16, 1 / 32], initLevelMapper(2, 5)
    return pool


def _proposals(usual: RegionProposalNetwork) -> Proposals:
    return Proposals(
        usual.anchor_generator,
        usual.head,
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=256,
        positive_fraction=0.5,
        pre_nms_top_n=usual._pre_nms_top_n,  # noqa: SLF001  # it has no other name
        post_nms_top_n=usual._post_nms_top_n,  # noqa: SLF001
        nms_thresh=usual.nms_thresh,
    )


def _heads(usual: RoIHeads) -> Heads:
    return Heads(
        usual.box_roi_pool,
        usual.box_head,
        usual.box_predictor,
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=512,
        positive_fraction=0.25,
        bbox_reg_weights=None,
        score_thresh=usual.score_thresh,
        nms_thresh=usual.nms_thresh,
        detections_per_img=usual.detections_per_img,
        mask_roi_pool=usual.mask_roi_pool,
        mask_head=usual.mask_head,
        mask_predictor=usual.mask_predictor,
    )
