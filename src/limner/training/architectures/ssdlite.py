"""``ssdlite``: torchvision's SSDLite on MobileNet 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

from torch import nn

from limner.training.architectures.detectors import DetectorLearner
from limner.training.config import RunConfig
from limner.training.detection.one_stage import CarefulShots, blocks_of, single_shot


class SsdLearner(DetectorLearner):
    """The network with its losses; images are stretched to a square."""

    first = 1

    def __init__(self, labels: Sequence[str], side: int = 320, width: float = 1.0) -> None:
        super().__init__(labels, single_shot(len(labels), side, width))
        self.side = side

    def stages(self) -> Sequence[nn.Module]:
        """Those of MobileNet."""
        return blocks_of(cast("CarefulShots", self.network))

    def _resize(self, config: RunConfig) -> Mapping[str, object]:  # noqa: ARG002  # its own
        return {"rule": "stretch", "width": self.side, "height": self.side}


class SsdArchitecture:
    """Makes them."""

    name = "ssdlite"
    title = "SSDLite: few large things, fast"
    task: Literal["detect", "segment"] = "detect"
    masks = False
    defaults: Mapping[str, object] = {"image_size": 320, "batch_size": 16, "learning_rate": 1e-3, "weight_decay": 1e-4}

    def build(self, labels: Sequence[str], config: RunConfig) -> SsdLearner:
        """A new network."""
        return SsdLearner(labels, config.image_size)


SSDLITE = SsdArchitecture()
