"""Checkpoints of YOLOv5 (n to x, v6 and later) and of ultralytics (YOLOv5u, v8, 11): detection and segmentation.

Both programs pickle the network whole. It is read as a record, rebuilt from the description inside it
(`limner.models.architectures.yolo`), compared with the record layer by layer, and written as ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from limner.core.errors import BundleError, CheckpointError
from limner.models.bundle import Bundle, make_bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.checkpoints import is_checkpoint, peek_checkpoint, read_checkpoint
from limner.models.importers.extras import need_train
from limner.models.importers.protocol import Wishes, name_from
from limner.models.importers.yolo_fields import labels_from, yolo_fields
from limner.models.pickles.values import Opaque

if TYPE_CHECKING:
    from limner.models.architectures.yolo import Yolo

#: Modules whose classes may stand in these checkpoints, as records.
_KNOWN = ("models", "utils", "yolov5.models", "yolov5.utils", "ultralytics", "torch.nn.modules")
_NETWORKS: dict[str, Literal["yolov5", "ultralytics"]] = {
    "models.yolo.Model": "yolov5",
    "models.yolo.DetectionModel": "yolov5",
    "models.yolo.SegmentationModel": "yolov5",
    # The same program as it is packaged.
    "yolov5.models.yolo.Model": "yolov5",
    "yolov5.models.yolo.DetectionModel": "yolov5",
    "yolov5.models.yolo.SegmentationModel": "yolov5",
    "ultralytics.nn.tasks.DetectionModel": "ultralytics",
    "ultralytics.nn.tasks.SegmentationModel": "ultralytics",
}
_OTHER_TASKS = ("ClassificationModel", "PoseModel", "OBBModel", "WorldModel", "RTDETRDetectionModel", "YOLOEModel")
_DEFAULT_SIDE = 640
_HINT = "Export it to ONNX with the program that made it, and bring that file."
_HINTS = {
    "yolov5": _HINT,
    "ultralytics": f"{_HINT} Or add `--kind ultralytics-export`: then the ultralytics package (AGPL-3.0, which you "
    "install yourself) loads it, running what stands in it, and exports it.",
}


class PytorchYolo:
    """The importer called ``pytorch-yolo``."""

    name = "pytorch-yolo"
    title = "checkpoints (.pt) of YOLOv5 and ultralytics"

    def accepts(self, path: Path) -> bool:
        """A checkpoint that names a network of one of the two programs."""
        if not is_checkpoint(path):
            return False
        try:
            names = peek_checkpoint(path).names
        except BundleError:
            return False
        return any(name in _NETWORKS or name.startswith("ultralytics.nn.tasks.") for name in names)

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Rebuild the network, write it as ONNX and describe it; raises `BundleError`."""
        need_train("Converting a YOLO checkpoint")
        found = read_checkpoint(path, _KNOWN)
        record, program = _network(found, path.name)
        labels = labels_from(record.get("names"), wishes.labels)
        module = rebuilt(record, program)
        if module.head.nc != len(labels):
            raise BundleError(f"The network has {module.head.nc} labels, and {len(labels)} were given.")
        side = _side(found, program)
        stride = max(module.head.stride)
        difference = _export(module, folder / "model.onnx", stride)
        fields = yolo_fields(
            ultralytics=program == "ultralytics",
            decoder="yolov8" if program == "ultralytics" else "yolov5",
            masks=getattr(module.head, "nm", 0),
            labels=labels,
            size=(side, side),
            stride=stride,
            dynamic=True,
        )
        fields |= {
            "name": wishes.name or name_from(path),
            "version": wishes.version or "1",
            "licence": str(found.get("license", ""))[:200] if isinstance(found, Mapping) else "",
            "provenance": {"source": path.name, "converter": f"limner {self.name}"},
            "figures": {"conversion difference": difference},
        }
        return write_bundle(make_bundle(fields), folder)


#: The importer, for the registry.
PYTORCH_YOLO = PytorchYolo()


def rebuilt(record: Opaque, program: Literal["yolov5", "ultralytics"]) -> Yolo:
    """The network that a record describes, with its weights; raises `BundleError`."""
    from limner.models.architectures.yolo import build_yolo
    from limner.models.importers.exporting import load_strictly
    from limner.models.importers.module_records import take_settings, weights_of

    description = record.get("yaml")
    if not isinstance(description, Mapping):
        raise CheckpointError(
            "The network in the checkpoint has no description (yaml) of its layers.", hint=_HINTS[program]
        )
    try:
        module = build_yolo(description, program, _label_count(record, description))
        take_settings(module, _without_extras(record))
        load_strictly(module, {name: each.float() for name, each in weights_of(record).items()}, "its own description")
    except BundleError as error:
        raise type(error)(f"The network cannot be rebuilt. {error.message}", hint=_HINTS[program]) from error
    _take_strides(module, record)
    return module.eval()


def _network(found: object, name: str) -> tuple[Opaque, Literal["yolov5", "ultralytics"]]:
    """The record of the network: that with averaged weights, where there is one."""
    table = found if isinstance(found, Mapping) else {}
    for key in ("ema", "model"):
        record = table.get(key)
        if isinstance(record, Opaque) and record.name in _NETWORKS:
            return record, _NETWORKS[record.name]
        if isinstance(record, Opaque) and record.kind in _OTHER_TASKS:
            raise BundleError(
                f"{name} holds a {record.kind}; Limner reads networks that detect or segment.", hint=_HINT
            )
    raise CheckpointError(f"{name} holds no network of YOLOv5 or ultralytics.")


def _label_count(record: Opaque, description: Mapping[str, Any]) -> int:
    """How many labels the head has, whatever it is called now."""
    names = record.get("names")
    count = record.get("nc") or description.get("nc") or (len(names) if isinstance(names, dict | list) else 0)
    if not isinstance(count, int) or not 0 < count <= 10_000:
        raise CheckpointError("The network does not say how many labels it has.")
    return count


def _without_extras(record: Opaque) -> Opaque:
    """The record without what only training uses."""
    modules = record.get("_modules")
    own = {"model": modules["model"]} if isinstance(modules, Mapping) and "model" in modules else {}
    return Opaque(record.name, record.args, record.state | {"_modules": own})


def _take_strides(module: Yolo, record: Opaque) -> None:
    """See that the strides in the record are those of the rebuilt network."""
    import torch

    stride = record.get("stride")
    if not isinstance(stride, torch.Tensor):
        return
    theirs = tuple(round(each) for each in stride.flatten().tolist())
    if theirs != module.head.stride:
        raise CheckpointError(f"The network has the strides {theirs}, and its description gives {module.head.stride}.")


def _side(found: object, program: str) -> int:
    """The size at which the network was trained, where the checkpoint says it."""
    table = found.get("opt" if program == "yolov5" else "train_args") if isinstance(found, Mapping) else None
    table = table.state if isinstance(table, Opaque) else table
    side = table.get("imgsz") if isinstance(table, Mapping) else None
    side = max(side) if isinstance(side, list | tuple) and side else side
    return side if isinstance(side, int) and 32 <= side <= 16_384 else _DEFAULT_SIDE


def _export(module: Yolo, path: Path, stride: int) -> float:
    """Write the network for any size; gives by how much it differs at most."""
    from limner.models.importers.exporting import Conversion, export_checked, sample_tensor

    size = {2: "height", 3: "width"}
    segments = hasattr(module.head, "proto")
    outputs = ("output0", "output1") if segments else ("output0",)
    return export_checked(
        Conversion(
            module=module,
            examples=((sample_tensor(8 * stride, 6 * stride),), (sample_tensor(5 * stride, 7 * stride),)),
            outputs=outputs,
            dynamic={"images": size, "output0": {1: "rows", 2: "columns"}, "output1": size},
        ),
        path,
    )
