"""``fasterrcnn``: torchvision's Faster R-CNN on ResNet-50 with a feature pyramid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from limner.training.architectures.detectors import DetectorLearner
from limner.training.config import RunConfig
from limner.training.detection.trunks import Trunk
from limner.training.detection.two_stage import two_stage

#: How the R-CNNs are learnt where nobody says otherwise.
DEFAULTS: Mapping[str, object] = {"image_size": 800, "batch_size": 2, "learning_rate": 2e-4, "weight_decay": 0.02}


class FasterLearner(DetectorLearner):
    """The network with its losses."""

    first = 1

    def __init__(self, labels: Sequence[str], trunk: Trunk = Trunk()) -> None:  # noqa: B008  # frozen
        super().__init__(labels, two_stage(len(labels), trunk, masks=False))


class FasterArchitecture:
    """Makes them."""

    name = "fasterrcnn"
    title = "Faster R-CNN: boxes in two stages"
    task: Literal["detect", "segment"] = "detect"
    masks = False
    defaults = DEFAULTS

    def build(self, labels: Sequence[str], config: RunConfig) -> FasterLearner:  # noqa: ARG002 - one size for all
        """A new network."""
        return FasterLearner(labels)


FASTER_RCNN = FasterArchitecture()
