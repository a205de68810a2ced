"""ONNX files of EfficientDet, from three programs.

Google's AutoML gives rows of image, top, left, bottom, right, score and label; TensorFlow's detection API
gives boxes, scores and classes apart; effdet gives rows of left, top, right, bottom, score and label. The
first two take pixels as they are and do the rest inside. Labels begin with 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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

_APART = {"detection_boxes": "boxes", "detection_scores": "scores", "detection_classes": "labels"}
_AUTOML = ["-", "top", "left", "bottom", "right", "score", "label"]
_EFFDET = ["left", "top", "right", "bottom", "score", "label"]
#: Longer sides are scaled down first where the network takes any size: it makes the image smaller itself.
_LARGEST = 2048
IMAGENET = {"kind": "fixed", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class OnnxEfficientDet:
    """The importer called ``onnx-efficientdet``."""

    name = "onnx-efficientdet"
    title = "ONNX files of EfficientDet (AutoML, TensorFlow, effdet)"

    def accepts(self, path: Path) -> bool:
        """An ONNX file with the outputs of one of the programs; rows of six only where its name says so."""
        file = peek_onnx(path)
        if file is None or len(file.inputs) != 1 or {"names", "stride"} & set(file.metadata):
            return False
        named = any(part in path.stem.lower() for part in ("efficientdet", "effdet"))
        return _decoder(file) is not None and (_channels_last(file) or named)

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Copy the network and describe it; raises `BundleError`."""
        file = read_onnx(path)
        decoder = _decoder(file)
        if decoder is None:
            raise BundleError(
                f"The network gives {described(file.outputs)}, which is none of the forms of EfficientDet.",
                hint="Export it with the suppression of overlapping boxes inside.",
            )
        last = _channels_last(file)
        bundle = make_bundle(
            {
                "name": wishes.name or name_from(path),
                "version": wishes.version or "1",
                "task": "detect",
                "labels": wished_labels(wishes),
                "input": _input(the_image(file, channels=3 if last else 1), last=last),
                "decoder": decoder,
                "thresholds": {"score": 0.3, "iou": 0.5, "max_detections": 100},
                "provenance": {"source": path.name, "converter": f"limner {self.name}"},
            }
        )
        return write_bundle(bundle, folder, path)


#: The importer, for the registry.
ONNX_EFFICIENTDET = OnnxEfficientDet()


def _channels_last(file: OnnxFile) -> bool:
    """Whether the image is given as height × width × 3, with pixels as they are."""
    return any(is_image(each, channels=3) and each.dtype == "uint8" for each in file.inputs)


def _decoder(file: OnnxFile) -> dict[str, Any] | None:
    """How the outputs are read; None where they are of no known form."""
    roles = by_name(file, _APART)
    if roles is not None:
        return {"name": "boxes", "outputs": trimmed(roles), "form": "yxyx", "units": "fractions", "first_label": 1}
    shape = file.outputs[0].shape if len(file.outputs) == 1 else ()
    columns = {7: _AUTOML, 6: _EFFDET}.get(shape[2] or 0) if len(shape) == 3 else None
    return None if columns is None else {"name": "rows", "columns": columns, "first_label": 1}


def _input(image: TensorInfo, *, last: bool) -> dict[str, Any]:
    height, width = image.shape[1:3] if last else image.shape[2:]
    common: dict[str, Any] = {
        "name": image.name,
        "layout": "nhwc" if last else "nchw",
        "dtype": image.dtype,
        "pad": None,
    }
    if last and (height is None or width is None):
        return {**common, "resize": {"rule": "keep", "longest": _LARGEST}, "stride": 1, "dynamic": True}
    if height is None or width is None or height != width:
        raise BundleError(f"The network should take square images of a known size, and takes {described((image,))}.")
    # As effdet: the longer side fills the square, the rest is padded with ImageNet's mean.
    rest = {} if last else {"normalisation": IMAGENET}
    return {**common, **rest, "resize": {"rule": "longest", "side": width}}
