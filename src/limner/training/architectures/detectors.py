"""What the learners on torchvision's detectors have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator

from limner.models.architectures.torchvision_networks import detector
from limner.models.bundle import Bundle
from limner.models.importers.detectors import detector_conversion
from limner.models.tasks.specs import Input
from limner.training.architectures.bundles import write_trained
from limner.training.architectures.protocol import Found, Taken
from limner.training.architectures.weights import Staged
from limner.training.config import RunConfig
from limner.training.data.targets import Target
from limner.training.detection.trunks import stages_of, suit_weights

#: Names of the losses where torchvision has others.
_NAMES = {"loss_objectness": "objectness", "loss_rpn_box_reg": "proposal"}
#: Sizes of the images that network and file are compared on.
_SAMPLES = ((160, 128), (96, 192))


class DetectorLearner(Staged):
    """One of torchvision's detectors, of which a subclass says how it is made."""

    #: Number of the first label as the network counts.
    first = 0
    task: Literal["detect", "segment"] = "detect"

    def __init__(self, labels: Sequence[str], network: Any) -> None:  # noqa: ANN401  # torchvision has no types
        super().__init__()
        self.labels = tuple(labels)
        self.network = network

    @property
    def rules(self) -> Any:  # noqa: ANN401
        """The part that chooses what is answered."""
        return getattr(self.network, "roi_heads", self.network)

    def losses(self, images: Sequence[Tensor], targets: Sequence[Target]) -> Mapping[str, Tensor]:
        """The parts of the network's loss."""
        parts = self.network(list(images), [self._target(each) for each in targets])
        return {_NAMES.get(name, name): value for name, value in parts.items()}

    @torch.no_grad()
    def predict(self, images: Sequence[Tensor], threshold: float) -> list[Found]:
        """What is found on some images."""
        learning, least = self.training, self.rules.score_thresh
        self.eval()
        self.rules.score_thresh = threshold
        try:
            # One after the other: padding to a common size would change what is normalised by images.
            answers = [self.network([image])[0] for image in images]
        finally:
            self.rules.score_thresh = least
            self.train(learning)
        return [self._found(each) for each in answers]

    def stages(self) -> Sequence[nn.Module]:
        """Those of the ResNet."""
        return stages_of(self.network.get_submodule("backbone.body"))

    def take(self, weights: Mapping[str, Tensor]) -> Taken:
        """Begin with weights of Limner or torchvision; statistics of batches that come with them are kept."""
        suit_weights(self.network, weights)
        return super().take(weights)

    def export(self, folder: Path, config: RunConfig) -> Bundle:
        """A bundle whose network decodes and chooses by itself."""
        masks = self.task == "segment"
        roles = ("boxes", "scores", "labels", "masks")[: 3 + masks]
        spec = self._input(config)
        if isinstance(anchors := self._anchors(), AnchorGenerator):  # they stay where they were used last
            anchors.set_cell_anchors(torch.float32, torch.device("cpu"))
        conversion = detector_conversion(detector(self.network), spec, roles, widths=_SAMPLES)
        fields = {
            "task": self.task,
            "input": spec,
            "decoder": {"name": "boxes", "outputs": roles},
            "thresholds": {"iou": self.rules.nms_thresh, "max_detections": self.rules.detections_per_img},
        }
        return write_trained(folder, config, self.labels, conversion, fields, self.network)

    def _anchors(self) -> Any:  # noqa: ANN401
        return getattr(self.network, "rpn", self.network).anchor_generator

    def _resize(self, config: RunConfig) -> Mapping[str, object]:
        return {"rule": "longest", "side": config.image_size, "enlarge": False}

    def _input(self, config: RunConfig) -> Input:
        resize = self._resize(config)
        transform: Any = self.network.transform
        return Input.model_validate(
            {
                "name": "image",
                "resize": resize,
                "filter": "pillow-bilinear",
                "normalisation": {"kind": "fixed", "mean": transform.image_mean, "std": transform.image_std},
                "pad": None,
                "stride": 1,
                "dynamic": resize["rule"] != "stretch",
            }
        )

    def _target(self, target: Target) -> dict[str, Tensor]:
        masks = {} if target.masks is None else {"masks": target.masks}
        return {
            "boxes": target.boxes,
            "labels": target.labels + self.first,
            "ignore": target.ignore,
            "exhaustive": target.exhaustive,
            **masks,
        }

    def _found(self, answer: Mapping[str, Tensor]) -> Found:
        return Found(
            boxes=answer["boxes"],
            labels=answer["labels"] - self.first,
            scores=answer["scores"],
            masks=answer.get("masks"),
        )
