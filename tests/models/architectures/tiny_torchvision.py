"""torchvision's detectors on a backbone of a few channels, with weights that find things all over a page."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, FasterRCNN, MaskRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.ssd import SSD

_WIDTH = 32
_CLASSES = 4
_SIZES = {"min_size": 160, "max_size": 256}


class Backbone(nn.Module):
    """Feature maps at a quarter of the image, an eighth and so on, with averages that stay in bounds."""

    out_channels = _WIDTH

    def __init__(self, levels: int, *, first: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _WIDTH, 2**first, 2**first)
        self.steps = nn.ModuleList([nn.Conv2d(_WIDTH, _WIDTH, 3, 2, 1) for _ in range(levels - 1)])
        self.out_channels_of_levels = [_WIDTH] * levels

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x = self.stem(image).tanh() * 2
        out = OrderedDict({"0": x})
        for number, step in enumerate(self.steps):
            x = (step(x) * 3).tanh() * 2
            out["pool" if number == 3 else str(number + 1)] = x
        return out


def two_stage(*, masks: bool) -> nn.Module:
    """Faster or Mask R-CNN."""
    anchors = AnchorGenerator(tuple((2**level,) for level in range(4, 9)), ((0.5, 1.0, 2.0),) * 5)
    parts = {
        "rpn_anchor_generator": anchors,
        "box_head": TwoMLPHead(_WIDTH * 49, 64),
        "box_predictor": FastRCNNPredictor(64, _CLASSES),
        "rpn_pre_nms_top_n_test": 200,
        "rpn_post_nms_top_n_test": 150,
    }
    if not masks:
        return _drawn(FasterRCNN(Backbone(5), **parts, **_SIZES))
    parts["mask_head"] = MaskRCNNHeads(_WIDTH, (_WIDTH, _WIDTH), 1)
    parts["mask_predictor"] = MaskRCNNPredictor(_WIDTH, _WIDTH, _CLASSES)
    return _drawn(MaskRCNN(Backbone(5), **parts, **_SIZES))


def dense(kind: str) -> nn.Module:
    """RetinaNet or FCOS on three levels."""
    if kind == "fcos":
        anchors = AnchorGenerator(((8,), (16,), (32,)), ((1.0,),) * 3)
        return _drawn(FCOS(Backbone(3, first=3), _CLASSES, anchor_generator=anchors, topk_candidates=150, **_SIZES))
    anchors = AnchorGenerator(((16, 20), (32, 40), (64, 80)), ((0.5, 1.0, 2.0),) * 3)
    return _drawn(RetinaNet(Backbone(3, first=3), _CLASSES, anchor_generator=anchors, topk_candidates=150, **_SIZES))


def single_shot() -> nn.Module:
    """SSD for 128 × 96."""
    from torchvision.models.detection.ssd import SSDHead

    backbone = Backbone(3, first=4)
    anchors = DefaultBoxGenerator([[2], [2, 3], [2]])
    head = SSDHead([_WIDTH] * 3, anchors.num_anchors_per_location(), _CLASSES)
    return _drawn(SSD(backbone, anchors, (128, 96), _CLASSES, head=head, topk_candidates=40, detections_per_img=30))


def _drawn(model: nn.Module) -> nn.Module:
    """With weights that give all kinds of scores, and boxes near their anchors."""
    torch.manual_seed(11)
    with torch.no_grad():
        for name, each in model.named_parameters():
            gain = 1.4 if any(part in name for part in ("cls_score", "cls_logits", "classification_head")) else 1.0
            gain = 0.3 if any(part in name for part in ("bbox_pred", "bbox_reg.", "regression_head.module")) else gain
            if each.ndim > 1:
                each.normal_(0, gain * each[0].numel() ** -0.5)
            elif "norm" not in name:
                each.fill_(1.0 if "bbox_reg.bias" in name and isinstance(model, FCOS) else 0.05)
    return model.eval()
