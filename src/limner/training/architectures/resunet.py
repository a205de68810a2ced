"""``resunet``: pixel classes by the network of docExtractor, with a border that parts neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.resnet import ResNet

from limner.annotations.annotation import ByModel
from limner.annotations.masks import mask_to_array
from limner.annotations.shapes import Box, Mask
from limner.models.architectures.lite import padded
from limner.models.architectures.res_unet import ResUNet
from limner.models.bundle import Bundle
from limner.models.importers.detectors import labeller_conversion
from limner.models.tasks.detect import Request
from limner.models.tasks.letterbox import plan_input
from limner.models.tasks.segment import class_map, regions
from limner.models.tasks.specs import Input, PixelClasses
from limner.training.architectures.bundles import write_trained
from limner.training.architectures.protocol import Found, Taken
from limner.training.architectures.weights import Staged
from limner.training.config import RunConfig
from limner.training.data.targets import Target
from limner.training.detection.pixels import pixel_losses
from limner.training.detection.trunks import suit_weights, without_batches

#: Keeps an image of one colour from dividing by 0, as docExtractor does.
_EPSILON = 1e-7
#: Most regions of an image.
_MOST = 1000
#: Sizes of the images that network and file are compared on; odd ones too.
_SAMPLES = ((131, 94), (96, 128))


class WithoutBorder(nn.Module):
    """The network as it is served: the border is nothing."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The class of each pixel (uint8) and how probable it is: [1, height, width]."""
        chances = self.network(image).softmax(dim=1)
        highest, classes = chances.max(dim=1)
        border = chances.shape[1] - 1
        return torch.where(classes == border, torch.zeros_like(classes), classes).to(torch.uint8), highest


class ResUNetLearner(Staged):
    """The network with its losses."""

    def __init__(self, labels: Sequence[str], encoder: str | ResNet = "res_unet18") -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.network = ResUNet(encoder, len(self.labels) + 2)
        without_batches(self.network)

    def losses(self, images: Sequence[Tensor], targets: Sequence[Target]) -> Mapping[str, Tensor]:
        """``label`` (balanced cross-entropy) and ``overlap`` (Dice)."""
        logits = self.network(padded([_normalised(each) for each in images], value=0.0))
        parts = [
            pixel_losses(own[:, : image.shape[1], : image.shape[2]], target)
            for own, image, target in zip(logits, images, targets, strict=True)
        ]
        label, overlap = (torch.stack(each).mean() for each in zip(*parts, strict=True))
        return {"label": label, "overlap": overlap}

    @torch.no_grad()
    def predict(self, images: Sequence[Tensor], threshold: float) -> list[Found]:
        """Regions of pixels of one class, found as they are when served."""
        network = WithoutBorder(self.network)
        found = []
        for image in images:
            outputs = [each.cpu().numpy() for each in network(_normalised(image)[None])]
            found.append(self._found(outputs, image, threshold))
        return found

    def stages(self) -> Sequence[nn.Module]:
        """Those of the encoder."""
        return [self.network.get_submodule(f"layer{level}") for level in range(5)]

    def take(self, weights: Mapping[str, Tensor]) -> Taken:
        """Begin with weights of Limner or docExtractor; statistics of batches that come with them are kept."""
        suit_weights(self.network, weights)
        return super().take(weights)

    def export(self, folder: Path, config: RunConfig) -> Bundle:
        """A bundle that gives the class of each pixel."""
        spec = _input({"rule": "longest", "side": config.image_size, "enlarge": False})
        conversion = labeller_conversion(WithoutBorder(self.network), spec, widths=_SAMPLES)
        fields = {
            "task": "segment",
            "input": spec,
            "decoder": PixelClasses(),
            "thresholds": {"max_detections": _MOST},
        }
        return write_trained(folder, config, self.labels, conversion, fields, self.network)

    def _found(self, outputs: Sequence[np.ndarray[Any, Any]], image: Tensor, threshold: float) -> Found:
        height, width = image.shape[1:]
        spec = PixelClasses(shape="mask")
        classes = class_map(outputs, spec, len(self.labels), plan_input(_input({"rule": "keep"}), (width, height)))
        wanted = np.ones(len(self.labels), np.bool_)
        request = Request(self.labels, wanted, threshold, 1.0, _MOST, ByModel("", ""))
        found = [*regions(classes, Box(0, 0, width, height), (width, height), spec, request)]
        found = sorted(found, key=lambda each: -(each.score or 0.0))[:_MOST]
        masks = [torch.from_numpy(mask_to_array(each.shape)) for each in found if isinstance(each.shape, Mask)]
        return Found(
            boxes=torch.tensor([each.shape.bounds.corners for each in found]).reshape(-1, 4).to(image),
            labels=torch.tensor([self.labels.index(each.label) for each in found], dtype=torch.int64).to(image.device),
            scores=torch.tensor([each.score or 0.0 for each in found]).to(image),
            masks=(torch.stack(masks) if masks else torch.zeros(0, height, width)).bool().to(image.device),
        )


class ResUNetArchitecture:
    """Makes them."""

    name = "resunet"
    title = "ResUNet: what each pixel belongs to"
    task: Literal["detect", "segment"] = "segment"
    masks = True
    defaults: Mapping[str, object] = {"image_size": 896, "batch_size": 2, "learning_rate": 5e-4, "weight_decay": 1e-3}

    def build(self, labels: Sequence[str], config: RunConfig) -> ResUNetLearner:  # noqa: ARG002 - one size for all
        """A new network."""
        return ResUNetLearner(labels)


def _normalised(image: Tensor) -> Tensor:
    """Each channel with its own mean and deviation, as they will be when served."""
    mean, deviation = image.mean(dim=(1, 2), keepdim=True), image.std(dim=(1, 2), keepdim=True, unbiased=False)
    return (image - mean) / (deviation + _EPSILON)


def _input(resize: Mapping[str, object]) -> Input:
    return Input.model_validate(
        {
            "name": "image",
            "resize": resize,
            "filter": "pillow-bilinear",
            "normalisation": {"kind": "image", "epsilon": _EPSILON},
            "pad": None,
            "stride": 1,
            "dynamic": True,
        }
    )


RESUNET = ResUNetArchitecture()
