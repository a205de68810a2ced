"""Weights that torchvision offers, to begin with: learnt from 118,000 photographs (COCO)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: Names of such weights, and the architecture that begins with them.
OFFERED = {
    "torchvision/fasterrcnn_resnet50_fpn": "fasterrcnn",
    "torchvision/maskrcnn_resnet50_fpn": "maskrcnn",
    "torchvision/retinanet_resnet50_fpn_v2": "retinanet",
    "torchvision/ssdlite320_mobilenet_v3_large": "ssdlite",
}


def offered_weights(name: str) -> dict[str, Tensor]:
    """The weights of one of these names, fetched where torch does not have them yet.

    Raises `ModelError` where they cannot be had.
    """
    from limner.models.importers.torchvision import offered_tensors

    return offered_tensors(name.removeprefix("torchvision/"))
