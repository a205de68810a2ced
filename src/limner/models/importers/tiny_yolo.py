"""Tiny YOLO, version 1: ``.weights`` of darknet, or a model of Keras in HDF5."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from limner.core.errors import BundleError
from limner.models.bundle import Bundle, make_bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.exporting import Conversion, export_checked, sample_tensor
from limner.models.importers.extras import need_train
from limner.models.importers.protocol import Wishes, name_from
from limner.models.importers.tiny_yolo_files import HDF5, TinyYoloFile, darknet_outputs, read_darknet, read_keras

if TYPE_CHECKING:
    from torch import nn

    from limner.models.architectures.tiny_yolo import TinyYolo

_SIDE_OF_CELL = 64
_LAYERS = 12
_BOXES = 2
#: What darknet's weights know: the classes of Pascal VOC, in its order.
VOC = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


class TinyYoloImporter:
    """The importer called ``tiny-yolo``."""

    name = "tiny-yolo"
    title = "Tiny YOLO v1 of darknet (.weights) or Keras (.hdf5)"

    def accepts(self, path: Path) -> bool:
        """A ``.weights`` file of the right size, or a file of HDF5."""
        try:
            if path.suffix.lower() == ".weights" and path.is_file():
                size = path.stat().st_size
                return any((size - begin) % 4 == 0 and darknet_outputs((size - begin) // 4) for begin in (16, 20))
            return _is_hdf5(path)
        except OSError:
            return False

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Rebuild the network, export it and describe it; raises `BundleError`."""
        need_train("Converting a Tiny YOLO")
        file = read_keras(path) if _is_hdf5(path) else read_darknet(path)
        network, cells = _network(file)
        labels = _labels(len(file.layers[-1].bias), cells, wishes)
        side = cells * _SIDE_OF_CELL
        bundle = make_bundle(
            {
                "name": wishes.name or name_from(path),
                "version": wishes.version or "1",
                "task": "detect",
                "labels": labels,
                "input": {
                    "name": "images",
                    "resize": {"rule": "stretch", "width": side, "height": side},
                    # darknet's crop layer brings pixels to −1 … 1.
                    "normalisation": {"kind": "fixed", "scale": 2 / 255, "mean": [1, 1, 1]},
                },
                "decoder": {"name": "tiny-yolo", "cells": cells, "boxes": _BOXES},
                # The defaults of darknet.
                "thresholds": {"score": 0.2, "iou": 0.5, "max_detections": cells * cells * _BOXES},
                "provenance": {"source": f"{path.name} ({file.note})", "converter": f"limner {self.name}"},
            }
        )
        folder.mkdir(parents=True, exist_ok=True)
        example = sample_tensor(side, side) * 2 - 1
        export_checked(Conversion(module=network, examples=((example,),)), folder / "model.onnx")
        return write_bundle(bundle, folder)


#: The importer, for the registry.
TINY_YOLO = TinyYoloImporter()


def _is_hdf5(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(HDF5)) == HDF5


def _network(file: TinyYoloFile) -> tuple[TinyYolo, int]:
    """The network with the numbers of a file, and how many cells its grid has along a side."""
    import torch

    from limner.models.architectures.tiny_yolo import TinyYolo

    convolutions = [layer for layer in file.layers if not layer.dense]
    dense = [layer for layer in file.layers if layer.dense]
    if len(file.layers) != _LAYERS or len(dense) != 3 or file.layers[-3:] != tuple(dense):
        raise BundleError(
            f"It has {len(convolutions)} convolutions and {len(dense)} dense layers; "
            "a Tiny YOLO has nine and then three."
        )
    cells = math.isqrt(dense[0].weights.shape[1] // len(convolutions[-1].bias))
    network = TinyYolo(
        len(dense[-1].bias),
        widths=[len(layer.bias) for layer in convolutions],
        dense=[len(layer.bias) for layer in dense[:2]],
        side=cells * _SIDE_OF_CELL,
    )
    targets: list[nn.Conv2d | nn.Linear] = [*network.convolutions(), *network.dense()]
    with torch.no_grad():
        for target, layer in zip(targets, file.layers, strict=True):
            if target.weight.shape != layer.weights.shape or target.bias is None:
                raise BundleError(
                    f"A layer has weights of {layer.weights.shape} where a Tiny YOLO has {tuple(target.weight.shape)}."
                )
            target.weight.copy_(torch.tensor(layer.weights))
            target.bias.copy_(torch.tensor(layer.bias))
    return network.eval(), cells


def _labels(outputs: int, cells: int, wishes: Wishes) -> tuple[str, ...]:
    """The labels that are wished for; for 20 of them, those of Pascal VOC."""
    count, rest = divmod(outputs, cells * cells)
    count -= 5 * _BOXES
    if rest or count < 1:
        raise BundleError(f"It answers with {outputs} numbers, which fits no grid of {cells} × {cells} cells.")
    labels = wishes.labels or (VOC if count == len(VOC) else None)
    if labels is None:
        raise BundleError(f"The file does not say what its {count} labels are called.", hint="Give them, in order.")
    if len(labels) != count:
        raise BundleError(f"The network knows {count} labels, and {len(labels)} were given.")
    return labels
