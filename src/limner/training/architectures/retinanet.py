"""``retinanet``: torchvision's RetinaNet on ResNet-50 with a feature pyramid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from limner.training.architectures.detectors import DetectorLearner
from limner.training.config import RunConfig
from limner.training.detection.one_stage import retina
from limner.training.detection.trunks import Trunk


class RetinaLearner(DetectorLearner):
    """The network with its losses."""

    def __init__(self, labels: Sequence[str], trunk: Trunk = Trunk()) -> None:  # noqa: B008  # frozen
        super().__init__(labels, retina(len(labels), trunk))


class RetinaArchitecture:
    """Makes them."""

    name = "retinanet"
    title = "RetinaNet: boxes in one stage"
    task: Literal["detect", "segment"] = "detect"
    masks = False
    defaults: Mapping[str, object] = {"image_size": 800, "batch_size": 2, "learning_rate": 1e-4, "weight_decay": 0.02}

    def build(self, labels: Sequence[str], config: RunConfig) -> RetinaLearner:  # noqa: ARG002 - one size for all
        """A new network."""
        return RetinaLearner(labels)


RETINANET = RetinaArchitecture()
