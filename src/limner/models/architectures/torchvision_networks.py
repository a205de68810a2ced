"""torchvision's networks as networks that ONNX can hold: its modules, with our way from their answers to detections.

torchvision scales and normalises images inside its networks and pastes masks there; in a bundle that is
the work of the server, so that only what lies between is taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD

from limner.models.architectures.one_stage import DenseDetector, OneStageRules, SingleShotDetector
from limner.models.architectures.two_stage import ProposalRules, RoiRules, TwoStage


def detector(model: nn.Module) -> nn.Module:
    """A network of boxes, scores, labels and perhaps masks, from one of torchvision's detectors."""
    if isinstance(model, FasterRCNN):
        return _two_stage(model).eval()
    if isinstance(model, SSD):
        return _single_shot(model).eval()
    if isinstance(model, RetinaNet | FCOS):
        return _dense(model).eval()
    raise TypeError(f"{type(model).__name__} is no detector that is known here")


class PixelLabeller(nn.Module):
    """One of torchvision's networks for pixel classes: the class of each pixel, and how probable it is."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Classes (1 × height × width, uint8) and probabilities of an image, normalised."""
        logits = self.model(image)["out"]
        highest, classes = logits.max(dim=1)
        return classes.to(torch.uint8), 1 / (logits - highest[:, None]).exp().sum(dim=1)


class _Levels(nn.Module):
    """A backbone whose feature maps come as a list, the finest first."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, image: Tensor) -> list[Tensor]:
        """The feature maps."""
        found = self.backbone(image)
        return [found] if isinstance(found, Tensor) else list(found.values())


class _BoxHead(nn.Module):
    """The layers for pooled boxes, and those that predict."""

    def __init__(self, head: nn.Module, predictor: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.predictor = predictor

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and shifts."""
        logits, shifts = self.predictor(self.head(rows))
        return logits, shifts


def _two_stage(model: Any) -> TwoStage:  # noqa: ANN401  # torchvision has no types
    """Faster and Mask R-CNN."""
    rpn, rois = model.rpn, model.roi_heads
    proposals = ProposalRules(
        strides=None,
        offset=0.0,
        weights=tuple(rpn.box_coder.weights),
        before=rpn._pre_nms_top_n["testing"],  # noqa: SLF001  # it has no other name
        after=rpn._post_nms_top_n["testing"],  # noqa: SLF001
        iou=rpn.nms_thresh,
        least_side=rpn.min_size,
    )
    pool, masks = rois.box_roi_pool, rois.mask_roi_pool if rois.has_mask() else None
    rules = RoiRules(
        weights=tuple(rois.box_coder.weights),
        threshold=rois.score_thresh,
        iou=rois.nms_thresh,
        limit=rois.detections_per_img,
        least_side=0.01,
        background=0,
        box_side=pool.output_size[0],
        mask_side=masks.output_size[0] if masks else 0,
        box_samples=pool.sampling_ratio,
        mask_samples=masks.sampling_ratio if masks else 0,
        aligned=False,
        level_epsilons=(0.0, 1e-6),
    )
    return TwoStage(
        backbone=_Levels(model.backbone),
        proposal_head=rpn.head,
        anchors=rpn.anchor_generator.cell_anchors,
        proposals=proposals,
        box_head=_BoxHead(rois.box_head, rois.box_predictor),
        mask_head=nn.Sequential(rois.mask_head, rois.mask_predictor) if masks else None,
        rules=rules,
    )


def _rules(model: Any, multiple: int) -> OneStageRules:  # noqa: ANN401
    return OneStageRules(
        threshold=model.score_thresh,
        iou=model.nms_thresh,
        candidates=model.topk_candidates,
        limit=model.detections_per_img,
        weights=tuple(getattr(model.box_coder, "weights", ())),
        multiple=multiple,
    )


def _dense(model: Any) -> DenseDetector:  # noqa: ANN401
    """RetinaNet and FCOS."""
    anchors: Sequence[Tensor] = model.anchor_generator.cell_anchors
    return DenseDetector(_Levels(model.backbone), model.head, anchors, _rules(model, model.transform.size_divisible))


def _single_shot(model: Any) -> SingleShotDetector:  # noqa: ANN401
    """SSD and SSDLite, whose anchors depend on the one size of their input alone."""
    width, height = model.transform.fixed_size
    backbone = _Levels(model.backbone)
    image = torch.zeros(1, 3, height, width)
    with torch.no_grad():
        anchors = model.anchor_generator(ImageList(image, [(height, width)]), backbone.eval()(image))[0]
    return SingleShotDetector(backbone, model.head, anchors, _rules(model, 1))
