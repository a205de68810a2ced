"""``tiny-yolo``: Tiny YOLO, version 1, for models that others made with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import batched_nms

from limner.models.architectures.tiny_yolo import DENSE, WIDTHS, TinyYolo
from limner.models.bundle import Bundle
from limner.models.importers.exporting import Conversion, sample_tensor
from limner.models.tasks.tiny_yolo import Grid, decode_grid
from limner.training.architectures.bundles import write_trained
from limner.training.architectures.protocol import Found
from limner.training.architectures.weights import Staged
from limner.training.config import RunConfig
from limner.training.data.targets import Target
from limner.training.detection.yolo_grid import grid_losses, unknown_cells, wanted_vectors

#: Pixels of a cell's side, boxes of a cell.
_CELL, _BOXES = 64, 2
#: Of two boxes of one label that overlap by more, the better one is kept.
_IOU = 0.5
#: What lies before the leaky rectifiers is drawn for them.
_SLOPE = 0.1


@dataclass(frozen=True, slots=True)
class Measures:
    """The size of the network."""

    side: int = 448
    widths: tuple[int, ...] = WIDTHS
    dense: tuple[int, int] = DENSE


class TinyYoloLearner(Staged):
    """The network with its loss; images are stretched to a square."""

    def __init__(self, labels: Sequence[str], measures: Measures = Measures()) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.side = measures.side
        self.grid = Grid(len(self.labels), measures.side // _CELL, _BOXES)
        self.network: TinyYolo = TinyYolo(
            self.grid.length, widths=measures.widths, dense=measures.dense, side=measures.side
        )
        _draw(self.network, self.grid)

    def losses(self, images: Sequence[Tensor], targets: Sequence[Target]) -> Mapping[str, Tensor]:
        """Squares of differences: ``label``, ``box``, ``object`` and ``nothing``."""
        sizes = [(each.shape[2], each.shape[1]) for each in images]
        wanted = wanted_vectors(targets, sizes, self.grid)
        return grid_losses(self._vectors(images), wanted, unknown_cells(targets, sizes, self.grid), self.grid)

    @torch.no_grad()
    def predict(self, images: Sequence[Tensor], threshold: float) -> list[Found]:
        """What is found on some images."""
        vectors = self._vectors(images).float().cpu()
        return [self._found(vector, image, threshold) for vector, image in zip(vectors, images, strict=True)]

    def stages(self) -> Sequence[nn.Module]:
        """The convolutions."""
        return self.network.convolutions()

    def export(self, folder: Path, config: RunConfig) -> Bundle:
        """A bundle that is read as those of darknet."""
        conversion = Conversion(module=self.network, examples=((sample_tensor(self.side, self.side) * 2 - 1,),))
        fields = {
            "task": "detect",
            "input": {
                "resize": {"rule": "stretch", "width": self.side, "height": self.side},
                "filter": "pillow-bilinear",
                "normalisation": {"kind": "fixed", "scale": 2 / 255, "mean": [1, 1, 1]},
            },
            "decoder": {"name": "tiny-yolo", "cells": self.grid.cells, "boxes": _BOXES},
            "thresholds": {"iou": _IOU, "max_detections": self.grid.cells**2 * _BOXES},
        }
        return write_trained(folder, config, self.labels, conversion, fields, self.network)

    def _vectors(self, images: Sequence[Tensor]) -> Tensor:
        size = [self.side, self.side]
        batch = torch.stack(
            [functional.interpolate(each[None], size, mode="bilinear", antialias=True)[0] for each in images]
        )
        return cast("Tensor", self.network(batch * 2 - 1))

    def _found(self, vector: Tensor, image: Tensor, threshold: float) -> Found:
        decoded = decode_grid(vector.numpy(), self.grid)
        centred, scores = torch.from_numpy(decoded.boxes), torch.from_numpy(decoded.scores)
        best, labels = scores.max(dim=1)
        rows = torch.nonzero(best >= threshold)[:, 0]
        scale = torch.tensor([image.shape[2], image.shape[1]] * 2, dtype=torch.float32)
        half = centred[:, 2:] / 2
        corners = torch.cat([centred[:, :2] - half, centred[:, :2] + half], dim=1)[rows]
        boxes = torch.minimum((corners * scale).clamp(min=0), scale)
        kept = batched_nms(boxes, best[rows], labels[rows], _IOU)
        found = boxes[kept].to(image), labels[rows][kept].to(image.device), best[rows][kept].clamp(max=1).to(image)
        return Found(boxes=found[0], labels=found[1], scores=found[2])


class TinyYoloArchitecture:
    """Makes them."""

    name = "tiny-yolo"
    title = "Tiny YOLO, version 1"
    task: Literal["detect", "segment"] = "detect"
    masks = False
    defaults: Mapping[str, object] = {"image_size": 448, "batch_size": 16, "learning_rate": 2e-4, "weight_decay": 5e-4}

    def build(self, labels: Sequence[str], config: RunConfig) -> TinyYoloLearner:
        """A new network, its grid as fine as the images are large."""
        return TinyYoloLearner(labels, Measures(side=max(_CELL, round(config.image_size / _CELL) * _CELL)))


@torch.no_grad()
def _draw(network: TinyYolo, grid: Grid) -> None:
    """Weights that keep signals as strong as they come; answers begin at boxes in the middle of their cells."""
    layers: list[nn.Conv2d | nn.Linear] = [*network.convolutions(), *network.dense()]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
        if layer.bias is not None:
            layer.bias.zero_()
    last = network.dense()[-1]
    last.weight.mul_(0.01)
    square = grid.cells**2
    middle = last.bias[square * (grid.classes + grid.boxes) :].reshape(-1, 4)
    middle[:, :2], middle[:, 2:] = 0.5, 0.4
    last.bias[: square * grid.classes] = 1 / grid.classes


TINY_YOLO = TinyYoloArchitecture()
