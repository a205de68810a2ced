"""ONNX files of RT-DETR, D-FINE, DEIM, RF-DETR, DETR and their kin, told by their inputs and outputs.

They come in two forms: with the sizes of the image as a second input and labels, boxes and scores as
answer (the exports of RT-DETR and D-FINE); or with logits and boxes for each query (those of RF-DETR and
of Transformers, which leave a ``config.json`` and ``preprocessor_config.json`` beside the network).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from limner.core.errors import BundleError
from limner.models.bundle import Bundle, make_bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.onnx_inputs import (
    by_name,
    described,
    is_image,
    peek_onnx,
    the_image,
    trimmed,
    wished_labels,
)
from limner.models.importers.protocol import Wishes, name_from
from limner.models.onnx_file import OnnxFile, TensorInfo, read_onnx
from limner.models.runtimes.onnx import answered_shapes

_FINISHED = {"labels": "labels", "boxes": "boxes", "scores": "scores"}
_QUERIES = {"logits": "logits", "pred_logits": "logits", "pred_boxes": "boxes"}
_RF_DETR = {"dets": "boxes", "labels": "logits"}
_SIDE = 640
_MOST_JSON = 10_000_000
#: Kinds of Transformers whose last logit means that there is nothing.
_SOFTMAX = frozenset({"detr", "yolos", "table-transformer"})
#: Mean and deviation of ImageNet, which most transformers were trained with.
_IMAGENET = {"kind": "fixed", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
_PLAIN = {"kind": "fixed"}


@dataclass(frozen=True, slots=True)
class _Beside:
    """What lies beside a network that Transformers has exported."""

    config: Mapping[str, Any] = field(default_factory=dict)
    preprocessor: Mapping[str, Any] = field(default_factory=dict)


class OnnxDetr:
    """The importer called ``onnx-detr``."""

    name = "onnx-detr"
    title = "ONNX files of RT-DETR, D-FINE, RF-DETR and DETR"

    def accepts(self, path: Path) -> bool:
        """An ONNX file with the inputs and outputs of one of them."""
        file = peek_onnx(path)
        return file is not None and any(map(is_image, file.inputs)) and (_sizes(file) or _roles(file)) is not None

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Copy the network and describe it; raises `BundleError`."""
        file, beside = read_onnx(path), _read_beside(path)
        sizes = _sizes(file)
        image = the_image(file)
        if len(file.inputs) != (1 if sizes is None else 2):
            raise BundleError(f"The network takes {described(file.inputs)}, and Limner has only the image to give.")
        rf_detr = by_name(file, _RF_DETR) is not None
        labels = wishes.labels or _labels(beside) or wished_labels(wishes)
        bundle = make_bundle(
            {
                "name": wishes.name or name_from(path),
                "version": wishes.version or "1",
                "task": "detect",
                "labels": labels,
                "input": {
                    "name": image.name,
                    "dtype": image.dtype,
                    "filter": "pillow-bilinear",
                    "size_input": None if sizes is None else sizes.name,
                    **_prepared(image, beside, _IMAGENET if rf_detr else _PLAIN),
                },
                "decoder": _finished(file) if sizes else _queries(path, file, image, len(labels), beside),
                "thresholds": {"score": 0.5, "max_detections": 300},
                "provenance": {"source": path.name, "converter": f"limner {self.name}"},
            }
        )
        return write_bundle(bundle, folder, path)


#: The importer, for the registry.
ONNX_DETR = OnnxDetr()


def _sizes(file: OnnxFile) -> TensorInfo | None:
    """The second input, for the width and height of the image, where labels, boxes and scores come out."""
    second = [each for each in file.inputs if len(each.shape) == 2 and each.shape[1] in (2, None)]
    fits = len(second) == 1 and second[0].dtype == "int64" and by_name(file, _FINISHED) is not None
    return second[0] if fits else None


def _roles(file: OnnxFile) -> tuple[str, ...] | None:
    """What each output is, where logits and boxes come out; None for other networks."""
    names = _RF_DETR if {"dets", "labels"} <= {output.name for output in file.outputs} else _QUERIES
    return by_name(file, names)


def _finished(file: OnnxFile) -> dict[str, Any]:
    return {"name": "boxes", "outputs": trimmed(by_name(file, _FINISHED) or ())}


def _queries(path: Path, file: OnnxFile, image: TensorInfo, labels: int, beside: _Beside) -> dict[str, Any]:
    """The decoder for logits and boxes; raises `BundleError` where the labels do not fit."""
    roles = _roles(file)
    if roles is None:
        raise BundleError(f"The network gives {described(file.outputs)}, and no boxes and logits of queries.")
    at = roles.index("logits")
    count = file.outputs[at].shape[-1] if file.outputs[at].shape else None
    if count is None:
        height, width = _side(image.shape[2]), _side(image.shape[3])
        blank = np.zeros((1, 3, height, width), image.dtype or "float32")
        count = answered_shapes(path, image.name, blank)[at][-1]
    rf_detr = by_name(file, _RF_DETR) is not None
    spare = count - labels
    # RF-DETR has one logit more than labels, which no query uses.
    if not (spare == 0 or spare == 1):
        raise BundleError(f"The network has {count} logits for each query, and {labels} labels were given.")
    kind = beside.config.get("model_type")
    softmax = kind in _SOFTMAX if kind else (spare == 1 and not rf_detr)
    if softmax and spare != 1:
        raise BundleError(f"The last of its {count} logits means that there is nothing: give {count - 1} labels.")
    return {"name": "detr", "outputs": trimmed(roles), "activation": "softmax" if softmax else "sigmoid"}


def _prepared(image: TensorInfo, beside: _Beside, usual: Mapping[str, Any]) -> dict[str, Any]:
    """How an image becomes the input: as the preprocessor says, else stretched."""
    height, width = image.shape[2:]
    told = beside.preprocessor
    out: dict[str, Any] = {"normalisation": {**usual}}
    if told:
        scale = told.get("rescale_factor", 1 / 255) if told.get("do_rescale", True) else 1
        out["normalisation"] = {"kind": "fixed", "scale": scale}
        if told.get("do_normalize"):
            out["normalisation"] |= {"mean": told.get("image_mean"), "std": told.get("image_std")}
    size = told.get("size")
    if height is None and width is None and isinstance(size, dict) and "shortest_edge" in size:
        longest = size.get("longest_edge", 2 * size["shortest_edge"])
        rule = {"rule": "shortest", "side": size["shortest_edge"], "longest": longest, "rounding": "floor"}
        return {**out, "resize": rule, "stride": 1, "dynamic": True, "pad": None}
    if isinstance(size, dict):
        height, width = height or size.get("height"), width or size.get("width")
    return {**out, "resize": {"rule": "stretch", "width": _side(width), "height": _side(height)}}


def _side(length: int | None) -> int:
    return length or _SIDE


def _labels(beside: _Beside) -> tuple[str, ...] | None:
    """Labels in a ``config.json``; repeated ones ("N/A") get their number."""
    names = beside.config.get("id2label")
    if not isinstance(names, dict) or set(names) != {str(at) for at in range(len(names))} or not names:
        return None
    listed = [str(names[str(at)]) for at in range(len(names))]
    return tuple(name if listed.count(name) == 1 else f"{name} {at}" for at, name in enumerate(listed))


def _read_beside(path: Path) -> _Beside:
    """The descriptions beside a network, or above the folder ``onnx``; raises `BundleError` for broken ones."""
    folders = [path.parent, path.parent.parent] if path.parent.name == "onnx" else [path.parent]
    return _Beside(_read_json(folders, "config.json"), _read_json(folders, "preprocessor_config.json"))


def _read_json(folders: list[Path], name: str) -> Mapping[str, Any]:
    file = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if file is None or file.stat().st_size > _MOST_JSON:
        return {}
    try:
        value = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} beside the network cannot be read: {error}.") from error
    return value if isinstance(value, dict) else {}
