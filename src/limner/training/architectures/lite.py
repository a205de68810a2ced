"""``lite``: a light detector of one stage, for machines without a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import batched_nms, generalized_box_iou_loss

from limner.models.architectures.lite import Decoded, Lite, boxes_at, padded, points_of
from limner.models.bundle import Bundle
from limner.models.importers.exporting import Conversion
from limner.training.architectures.bundles import write_trained
from limner.training.architectures.protocol import Found
from limner.training.architectures.weights import Staged
from limner.training.config import RunConfig
from limner.training.data.targets import Target
from limner.training.detection.assignment import assign

#: How much the boxes weigh beside the labels.
_BOXES = 2.5
#: Of two boxes of one label that overlap by more, the better one is kept.
_IOU = 0.6
#: Most that is found on an image.
_MOST = 300


class LiteLearner(Staged):
    """The network with its loss."""

    def __init__(self, labels: Sequence[str], width: int = 16) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.network: Lite = Lite(len(self.labels), width)

    def losses(self, images: Sequence[Tensor], targets: Sequence[Target]) -> Mapping[str, Tensor]:
        """``label`` (binary cross-entropy with the wanted scores) and ``box`` (generalised IoU)."""
        batch = padded(images)
        logits, distances = self.network(batch)
        points, _ = points_of(batch.shape[-2], batch.shape[-1], batch.device)
        boxes = boxes_at(points, distances.float())
        label = box = logits.new_zeros((), dtype=torch.float32)
        total = logits.new_zeros((), dtype=torch.float32)
        for at, target in enumerate(targets):
            found = assign(logits[at].detach().sigmoid(), boxes[at].detach(), points, target)
            cost = functional.binary_cross_entropy_with_logits(logits[at].float(), found.scores, reduction="none")
            label = label + (cost * found.counts).sum()
            rows = torch.nonzero(found.thing >= 0)[:, 0]
            weight = found.scores[rows].amax(dim=1)
            box = box + (generalized_box_iou_loss(boxes[at][rows], target.boxes[found.thing[rows]]) * weight).sum()
            total = total + weight.sum()
        total = total.clamp(min=1)
        return {"label": label / total, "box": _BOXES * box / total}

    @torch.no_grad()
    def predict(self, images: Sequence[Tensor], threshold: float) -> list[Found]:
        """What is found on some images."""
        batch = padded(images)
        logits, distances = self.network(batch)
        points, _ = points_of(batch.shape[-2], batch.shape[-1], batch.device)
        boxes = boxes_at(points, distances.float())
        return [_found(*each, threshold) for each in zip(logits.float().sigmoid(), boxes, images, strict=True)]

    def stages(self) -> Sequence[nn.Module]:
        """The stem, then the stages of the backbone."""
        return [self.network.stem, *self.network.stages]

    def export(self, folder: Path, config: RunConfig) -> Bundle:
        """A bundle that is read as YOLOv8's."""
        side = -(-config.image_size // 32) * 32
        sizes = ((side, side), (max(32, side // 64 * 32), side))
        conversion = Conversion(
            module=Decoded(self.network),
            examples=tuple((torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)),) for size in sizes),
            outputs=("found",),
            dynamic={"images": {2: "height", 3: "width"}, "found": {2: "points"}},
        )
        fields = {
            "task": "detect",
            "input": {
                "resize": {"rule": "letterbox", "width": side, "height": side, "enlarge": False},
                "dynamic": True,
                "filter": "area",
            },
            "decoder": {"name": "yolov8"},
            "thresholds": {"iou": _IOU, "max_detections": _MOST},
        }
        return write_trained(folder, config, self.labels, conversion, fields, self.network)


class LiteArchitecture:
    """Makes light detectors."""

    name = "lite"
    title = "Light detector for CPUs"
    task: Literal["detect", "segment"] = "detect"
    masks = False
    defaults: Mapping[str, object] = {"image_size": 640, "batch_size": 8, "learning_rate": 2e-3, "weight_decay": 0.02}

    def build(self, labels: Sequence[str], config: RunConfig) -> LiteLearner:  # noqa: ARG002 - one size for all
        """A new network."""
        return LiteLearner(labels)


def _found(scores: Tensor, boxes: Tensor, image: Tensor, threshold: float) -> Found:
    best, label = scores.max(dim=1)  # one label a point, as it will be served
    rows = torch.nonzero(best >= threshold)[:, 0]
    sure, labels, corners = best[rows], label[rows], boxes[rows]
    limits = corners.new_tensor([image.shape[-1], image.shape[-2]] * 2)
    corners = torch.minimum(corners.clamp(min=0), limits)
    kept = batched_nms(corners, sure, labels, _IOU)[:_MOST]
    return Found(boxes=corners[kept], labels=labels[kept], scores=sure[kept])


LITE = LiteArchitecture()
