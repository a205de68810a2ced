"""RetinaNet and SSDLite of torchvision, taught nothing by what nobody knows.

Targets hold ``ignore`` and ``exhaustive`` beside torchvision's ``boxes`` and ``labels``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import RetinaNet
from torchvision.models.detection._utils import retrieve_out_channels
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.ssdlite import SSDLiteFeatureExtractorMobileNet, SSDLiteHead
from torchvision.models.mobilenetv3 import mobilenet_v3_large
from torchvision.ops import box_iou, sigmoid_focal_loss
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from limner.training.detection.transforms import Stretched, Targets, Unscaled
from limner.training.detection.trunks import Trunk, group_norm
from limner.training.detection.unknowns import in_zones, label_costs

#: Least score of what the network answers at all.
LEAST = 0.05
#: Anchors on nothing that a page without things teaches.
_FEW = 3


class CarefulRetina(RetinaNet):  # type: ignore[misc]  # torchvision has no types
    """Each label on its own: what was looked for is learnt on every page. Labels count from 0."""

    def compute_loss(
        self, targets: list[Targets], head_outputs: dict[str, Tensor], anchors: list[Tensor]
    ) -> dict[str, Tensor]:
        """``label`` (focal loss) and ``box`` (L1)."""
        things = [_matched(self.proposal_matcher, target, own) for target, own in zip(targets, anchors, strict=True)]
        rows = zip(head_outputs["cls_logits"], things, targets, anchors, strict=True)
        box = self.head.regression_head.compute_loss(targets, head_outputs, anchors, things)
        return {"label": torch.stack([focal(*each) for each in rows]).mean(), "box": box}


def focal(logits: Tensor, things: Tensor, target: Targets, anchors: Tensor) -> Tensor:
    """The loss of an image's labels, for each anchor on a thing.

    ``logits`` are [anchors, labels]; ``things`` the thing of each anchor, -1 for none, -2 for between.
    """
    rows = torch.nonzero(things >= 0)[:, 0]
    columns = target["labels"][things[rows]]
    wanted = torch.zeros_like(logits, dtype=torch.float32)
    wanted[rows, columns] = 1.0
    silent = (things == -2) | ((things == -1) & in_zones(anchors, target["ignore"]))
    counts = target["exhaustive"][None] & ~silent[:, None]
    counts = counts.index_put((rows, columns), torch.ones_like(rows, dtype=torch.bool))
    costs = sigmoid_focal_loss(logits.float(), wanted, reduction="none")
    return torch.where(counts, costs, 0.0).sum() / max(1, len(rows))


class CarefulShots(SSD):  # type: ignore[misc]  # torchvision has no types
    """One label for each anchor, the hardest of those on nothing. Labels count from 1."""

    def compute_loss(
        self,
        targets: list[Targets],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        matched_idxs: list[Tensor],
    ) -> dict[str, Tensor]:
        """``label`` (cross-entropy) and ``box`` (smooth L1)."""
        logits, shifts = head_outputs["cls_logits"], head_outputs["bbox_regression"]
        label, box, count = logits.sum() * 0, shifts.sum() * 0, 0
        for at, (target, own, things) in enumerate(zip(targets, anchors, matched_idxs, strict=True)):
            label = label + hard(logits[at], things, target, own, self.neg_to_pos_ratio)
            rows = torch.nonzero(things >= 0)[:, 0]
            wanted = self.box_coder.encode_single(target["boxes"][things[rows]], own[rows])
            box = box + functional.smooth_l1_loss(shifts[at][rows].float(), wanted.float(), reduction="sum")
            count += len(rows)
        return {"label": label / max(1, count), "box": box / max(1, count)}


def hard(logits: Tensor, things: Tensor, target: Targets, anchors: Tensor, ratio: float) -> Tensor:
    """The loss of an image's labels: anchors on things, and ``ratio`` times as many of the worst on nothing."""
    wanted = torch.zeros(len(things), dtype=torch.int64, device=things.device)
    positive = things >= 0
    wanted[positive] = target["labels"][things[positive]]
    costs = label_costs(logits, wanted, target["exhaustive"])
    known = ~positive & ~in_zones(anchors, target["ignore"])
    number = max(int(ratio * int(positive.sum())), _FEW)
    negative = costs[known]
    return costs[positive].sum() + negative.topk(min(number, len(negative))).values.sum()


def _matched(matcher: nn.Module, target: Targets, anchors: Tensor) -> Tensor:
    """The thing of each anchor, -1 for none, -2 for between."""
    if not len(target["boxes"]):
        return torch.full((len(anchors),), -1, dtype=torch.int64, device=anchors.device)
    things: Tensor = matcher(box_iou(target["boxes"], anchors))
    return things


def retina(labels: int, trunk: Trunk) -> CarefulRetina:
    """torchvision's network in its second form, normalised in the heads too; weights have its names."""
    extra = LastLevelP6P7(trunk.channels(4), trunk.width)
    sides = tuple((side, int(side * 2 ** (1 / 3)), int(side * 2 ** (2 / 3))) for side in trunk.anchors)
    anchors = AnchorGenerator(sides, ((0.5, 1.0, 2.0),) * len(sides))
    head = RetinaNetHead(trunk.width, anchors.num_anchors_per_location()[0], labels, norm_layer=group_norm)
    backbone = trunk.pyramid((2, 3, 4), extra)
    network = CarefulRetina(backbone, labels, anchor_generator=anchors, head=head, score_thresh=LEAST)
    network.transform = Unscaled()
    return network


def single_shot(labels: int, side: int, width: float = 1.0) -> CarefulShots:
    """torchvision's SSDLite on MobileNet 3 for images of one side, its channels times ``width``."""
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    body = mobilenet_v3_large(weights=None, norm_layer=norm, reduced_tail=True, width_mult=width).features
    _small(body)
    last = [at for at, block in enumerate(body) if getattr(block, "_is_cn", False)][-1]
    backbone = SSDLiteFeatureExtractorMobileNet(body, last, norm, width_mult=width)
    anchors = DefaultBoxGenerator([[2, 3]] * 6, min_ratio=0.2, max_ratio=0.95)
    channels = retrieve_out_channels(backbone, (side, side))
    head = SSDLiteHead(channels, anchors.num_anchors_per_location(), labels + 1, norm)
    network = CarefulShots(
        backbone,
        anchors,
        (side, side),
        labels + 1,
        head=head,
        score_thresh=LEAST,
        nms_thresh=0.55,
        detections_per_img=300,
        topk_candidates=300,
    )
    network.transform = Stretched(side)
    return network


def _small(body: nn.Module) -> None:
    """Weights as torchvision draws them where it begins from chance."""
    for layer in body.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.03)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def blocks_of(network: CarefulShots) -> Sequence[nn.Module]:
    """The blocks of MobileNet 3 in order, cut where its resolution falls: stem, then four stages."""
    first, second = network.backbone.features
    blocks = [*first, *second]
    cuts = (1, 2, 4, 7, len(first))
    return [nn.ModuleList(blocks[low:high]) for low, high in zip((0, *cuts[:-1]), cuts, strict=True)]
