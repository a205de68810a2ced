"""EfficientDet as the package ``effdet`` saves it: a table of weights, from which D-number and labels are told."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import BundleError, CheckpointError, LimnerError
from limner.models.bundle import Bundle, make_bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.checkpoints import is_checkpoint, peek_checkpoint, read_checkpoint, state_dict
from limner.models.importers.exporting import Conversion, export_checked, load_strictly, sample_tensor
from limner.models.importers.extras import need_extra, need_train
from limner.models.importers.onnx_efficientdet import IMAGENET
from limner.models.importers.protocol import Wishes, name_from

if TYPE_CHECKING:
    import torch

#: D-number by the channels of its pyramid.
_NUMBERS = {64: 0, 88: 1, 112: 2, 160: 3, 224: 4}
_PYRAMID = "fpn.cell.0.fnode.0.after_combine.conv.conv_pw"
_CLASSES = "class_net.predict.conv_pw.bias"
#: Three scales × three aspects.
_ANCHORS = 9
#: Candidates that are compared after the conversion.
_COMPARED = 200
#: Where programs put the table of weights; averaged ones first.
_TABLES = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "model.")


class EfficientDet:
    """The importer called ``efficientdet``."""

    name = "efficientdet"
    title = "EfficientDet D0 to D4, checkpoints of effdet"

    def accepts(self, path: Path) -> bool:
        """A checkpoint with the names of effdet's weights."""
        if not is_checkpoint(path):
            return False
        try:
            table = _table(peek_checkpoint(path).value)
        except LimnerError:
            return False
        return _CLASSES in table and f"{_PYRAMID}.weight" in table

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Let effdet build the network, export it and describe it; raises `BundleError`."""
        need_train("Converting an EfficientDet")
        need_extra("effdet", ("effdet",), "Converting an EfficientDet")
        weights, kind = read_efficientdet(path)
        labels = wishes.labels
        if labels is None or len(labels) != kind.classes:
            given = "none were given" if labels is None else f"{len(labels)} were given"
            raise BundleError(f"The network knows {kind.classes} labels, and {given}.", hint="Give them, in order.")
        folder.mkdir(parents=True, exist_ok=True)
        side = export_efficientdet(weights, kind, folder / "model.onnx")
        return write_bundle(make_bundle(_fields(path, kind, side, labels, wishes)), folder)


#: The importer, for the registry.
EFFICIENTDET = EfficientDet()


@dataclass(frozen=True, slots=True)
class Kind:
    """Which EfficientDet some weights belong to."""

    #: What effdet calls it.
    config: str
    classes: int


def _fields(path: Path, kind: Kind, side: int, labels: tuple[str, ...], wishes: Wishes) -> dict[str, Any]:
    return {
        "name": wishes.name or name_from(path),
        "version": wishes.version or "1",
        "task": "detect",
        "labels": labels,
        "input": {
            "name": "images",
            "resize": {"rule": "longest", "side": side},
            "filter": "pillow-bilinear",
            "normalisation": IMAGENET,
            "pad": None,
        },
        "decoder": {"name": "boxes", "outputs": ["boxes", "scores", "labels"], "nms": True},
        "thresholds": {"score": 0.3, "iou": 0.5, "max_detections": 100},
        "provenance": {"source": f"{path.name} ({kind.config})", "converter": "limner efficientdet"},
    }


def _table(value: object) -> dict[str, Any]:
    """The weights in a checkpoint by effdet's own names; empty where there are none."""
    if not isinstance(value, Mapping):
        return {}
    inner = next((value[name] for name in _TABLES if isinstance(value.get(name), Mapping)), value)
    return {_plain(str(name)): each for name, each in inner.items()}


def _plain(name: str) -> str:
    """A name without what a wrapper has put before it."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def read_efficientdet(path: Path) -> tuple[dict[str, torch.Tensor], Kind]:
    """The weights in a checkpoint, and which EfficientDet they belong to; raises `CheckpointError`."""
    weights = state_dict(_table(read_checkpoint(path)))
    return weights, _kind(weights)


def _kind(weights: Mapping[str, torch.Tensor]) -> Kind:
    pyramid, classes = weights.get(f"{_PYRAMID}.weight"), weights.get(_CLASSES)
    if pyramid is None or classes is None:
        raise CheckpointError("There are no weights of an EfficientDet in it.")
    number = _NUMBERS.get(len(pyramid))
    if number is None:
        raise CheckpointError(f"Its pyramid has {len(pyramid)} channels, as none of EfficientDet D0 to D4.")
    # Those made from TensorFlow's weights have a bias before each normalisation, the others none.
    family = "tf_efficientdet" if f"{_PYRAMID}.bias" in weights else "efficientdet"
    return Kind(f"{family}_d{number}", len(classes) // _ANCHORS)


def export_efficientdet(weights: Mapping[str, torch.Tensor], kind: Kind, path: Path, side: int | None = None) -> int:
    """Write the network as ONNX for square images; returns their side in pixels, effdet's own unless given."""
    from effdet import get_efficientdet_config
    from effdet.factory import create_model_from_config

    from limner.models.architectures.efficientdet import Predicting

    config = get_efficientdet_config(kind.config)
    if side is not None:
        config.image_size = (side, side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of effdet's own dependencies
        network = create_model_from_config(
            config, bench_task="", num_classes=kind.classes, pretrained=False, pretrained_backbone=False
        )
    # Anchors of a bench are reckoned anew.
    own = {name: each for name, each in weights.items() if not name.startswith(("anchors.", "anchor_labeler."))}
    load_strictly(network, own, kind.config)
    module = Predicting(network, config, kind.classes)
    example = sample_tensor(config.image_size[1], config.image_size[0])
    outputs = ("boxes", "scores", "labels")
    export_checked(
        Conversion(module=module, examples=((example,),), outputs=outputs, difference=candidates_apart), path
    )
    return int(config.image_size[0])


def candidates_apart(expected: Sequence[npt.NDArray[Any]], actual: Sequence[npt.NDArray[Any]]) -> float:
    """How far the best candidates of one answer are from the nearest of another, relative; their order may differ."""
    boxes, scores, labels = (np.asarray(each) for each in expected)
    worst = 0.0
    for box, score, label in zip(boxes[:_COMPARED], scores, labels, strict=False):
        same = np.flatnonzero(actual[2] == label)
        if not len(same):
            return float("inf")
        apart = np.abs(actual[0][same] - box).max(axis=1) / (1 + np.abs(box).max())
        worst = max(worst, float(np.maximum(apart, np.abs(actual[1][same] - score)).min()))
    return worst
