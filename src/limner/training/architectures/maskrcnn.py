"""``maskrcnn``: torchvision's Mask R-CNN on ResNet-50 with a feature pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from limner.training.architectures.detectors import DetectorLearner
from limner.training.architectures.fasterrcnn import DEFAULTS
from limner.training.config import RunConfig
from limner.training.detection.trunks import Trunk
from limner.training.detection.two_stage import two_stage


class MaskLearner(DetectorLearner):
    """The network with its losses."""

    first = 1
    task: Literal["detect", "segment"] = "segment"

    def __init__(self, labels: Sequence[str], trunk: Trunk = Trunk()) -> None:  # noqa: B008  # frozen
        super().__init__(labels, two_stage(len(labels), trunk, masks=True))


class MaskArchitecture:
    """Makes them."""

    name = "maskrcnn"
    title = "Mask R-CNN: boxes and masks in two stages"
    task: Literal["detect", "segment"] = "segment"
    masks = True
    defaults = DEFAULTS

    def build(self, labels: Sequence[str], config: RunConfig) -> MaskLearner:  # noqa: ARG002 - one size for all
        """A new network."""
        return MaskLearner(labels)


MASK_RCNN = MaskArchitecture()
