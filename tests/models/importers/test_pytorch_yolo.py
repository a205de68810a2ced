from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from limner.core.errors import BundleError, CheckpointError, UnsafeCheckpointError
from limner.models.architectures import yolo_blocks, yolo_heads
from limner.models.architectures.yolo import build_yolo
from limner.models.bundle_files import read_bundle
from limner.models.importers.protocol import IMPORTERS, Wishes, importer_for
from limner.models.importers.pytorch_yolo import PYTORCH_YOLO
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX, answers
from limner.models.tasks.specs import YoloV5, YoloV8
from tests.models.architectures.yolo_tables import drawn_image, set_weights
from tests.models.importers.checkpoints import saved, stand_ins
from tests.models.parity import Found, assert_same, expected, found, parity_folder, parity_pixels

NAMES = {0: "illustration", 1: "initial"}
#: Names of classes in checkpoints of both programs.
YOLOV5 = {"Conv": "models.common", "C3": "models.common", "Bottleneck": "models.common", "Concat": "models.common"}
ULTRALYTICS = {
    "Conv": "ultralytics.nn.modules.conv",
    "C2f": "ultralytics.nn.modules.block",
    "Bottleneck": "ultralytics.nn.modules.block",
    "Concat": "ultralytics.nn.modules.conv",
    "DFL": "ultralytics.nn.modules.block",
}


class Network(nn.Module):
    """What both programs pickle: a list of layers, the table that they were made from, and names."""


def table(program: str, *, masks: bool = False) -> dict[str, Any]:
    """A small network with three levels."""
    kind, anchors = ("C3", ["anchors"]) if program == "yolov5" else ("C2f", [])
    last = ["Segment", ["nc", *anchors, 8, 16]] if masks else ["Detect", ["nc", *anchors]]
    return {
        "nc": 2,
        "ch": 3,
        "depth_multiple": 1.0,
        "width_multiple": 1.0,
        "anchors": [[4, 5, 9, 8], [16, 14, 20, 30]],
        "backbone": [[-1, 1, "Conv", [8, 3, 4]], [-1, 1, kind, [8]], [-1, 1, "Conv", [16, 3, 2]]],
        "head": [[[2], 1, "Concat", [1]], [[1, 3], 1, *last]],
    }


def checkpoint(path: Path, program: str, *, masks: bool = False, key: str = "model", **changes) -> Path:
    """A checkpoint as the program writes it, and beside it what the network answers to `drawn_image`."""
    description = table(program, masks=masks)
    ours = build_yolo(description, program, 2).eval()
    set_weights(ours)
    ours.half().float()
    with torch.no_grad():
        answer = ours(drawn_image(64, 96))
    torch.save([answer] if isinstance(answer, torch.Tensor) else list(answer), path.with_suffix(".answers"))
    network = Network()
    network.model, network.yaml, network.names = ours.model, description, NAMES
    network.stride = torch.tensor([float(each) for each in ours.head.stride])
    for name, value in changes.items():
        setattr(network, name, value)
    with stand_ins(classes(program, masks=masks)):
        content = {key: network.half(), "epoch": -1, "train_args": {"imgsz": 96}, "opt": {"imgsz": 96}}
        saved({"model": None, "ema": None, "license": "AGPL-3.0"} | content, path)
    return path


def classes(program: str, *, masks: bool) -> dict[str, type]:
    """The classes of a checkpoint under the names that they have in the program."""
    modules = YOLOV5 if program == "yolov5" else ULTRALYTICS
    out = {f"{module}.{kind}": getattr(yolo_blocks, kind, None) or yolo_heads.DFL for kind, module in modules.items()}
    head = "models.yolo" if program == "yolov5" else "ultralytics.nn.modules.head"
    block = "models.common" if program == "yolov5" else "ultralytics.nn.modules.block"
    network = "models.yolo" if program == "yolov5" else "ultralytics.nn.tasks"
    prefix = "Anchor" if program == "yolov5" else ""
    out[f"{network}.{'Segmentation' if masks else 'Detection'}Model"] = Network
    kind = "Segment" if masks else "Detect"
    out[f"{head}.{kind}"] = getattr(yolo_heads, prefix + kind)
    if masks:
        out[f"{block}.Proto"] = getattr(yolo_heads, f"{prefix}Proto")
    return out


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The importer, whether the installed package names it already or not."""
    monkeypatch.setattr(IMPORTERS, "_added", {**IMPORTERS._added, "pytorch-yolo": PYTORCH_YOLO})


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("program", ["yolov5", "ultralytics"])
def test_a_checkpoint_becomes_a_bundle(tmp_path: Path, program, masks):
    path = checkpoint(tmp_path / "Best.pt", program, masks=masks)
    assert importer_for(path) is PYTORCH_YOLO
    bundle = PYTORCH_YOLO.convert(path, tmp_path / "bundle", Wishes())
    assert read_bundle(tmp_path / "bundle") == bundle
    assert (bundle.ref, bundle.task, bundle.labels) == ("best@1", "segment" if masks else "detect", (*NAMES.values(),))
    assert bundle.decoder == (YoloV5 if program == "yolov5" else YoloV8)(masks=8 if masks else 0)
    assert (bundle.input.resize.width, bundle.input.stride, bundle.input.dynamic) == (96, 8, True)
    assert (bundle.input.resize.mapping, bundle.thresholds.iou) == (
        ("yolov5", 0.45) if program == "yolov5" else ("ultralytics", 0.7)
    )
    assert bundle.licence == "AGPL-3.0"
    assert bundle.figures["conversion difference"] < 1e-3
    given = answers(tmp_path / "bundle" / "model.onnx", {"images": drawn_image(64, 96).numpy()})
    for ours, theirs in zip(given, torch.load(path.with_suffix(".answers")), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=2e-3)
    predictor = ONNX.load(bundle, RuntimeOptions())
    assert isinstance(predictor.predict(np.zeros((50, 70, 3), np.uint8), (70, 50), Options(threshold=0.4)), list)


def test_averaged_weights_and_other_labels_come_first(tmp_path: Path):
    path = checkpoint(tmp_path / "last.pt", "yolov5", key="ema")
    wishes = Wishes(name="initials", version="3", labels=("a", "b"))
    bundle = PYTORCH_YOLO.convert(path, tmp_path / "bundle", wishes)
    assert (bundle.ref, bundle.labels) == ("initials@3", ("a", "b"))
    with pytest.raises(BundleError, match="has 2 labels, and 1 were given"):
        PYTORCH_YOLO.convert(path, tmp_path / "other", Wishes(labels=("a",)))


def with_c3(*args, repeats: int = 1, **changes) -> dict[str, Any]:
    """The table of YOLOv5 with other arguments for its second layer."""
    out = table("yolov5") | changes
    out["backbone"][1] = [-1, repeats, "C3", [8, *args]]
    return out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"yaml": with_c3(False)}, r"model\.1\.m\.0 \(Bottleneck\) has add True, not False"),
        ({"yaml": with_c3(repeats=3)}, "other layers"),
        ({"yaml": with_c3(width_multiple=2.0)}, "of another shape"),
        ({"yaml": None}, r"no description \(yaml\)"),
        ({"yaml": with_c3(head=[[[1, 2], 1, "Pose", ["nc"]]])}, "layer Pose, which is not known"),
        ({"stride": torch.tensor([8.0, 16.0])}, "has the strides"),
        ({"nc": 10**9}, "how many labels"),
    ],
)
def test_a_network_that_is_not_what_its_table_says_is_refused(tmp_path: Path, changes, message):
    path = checkpoint(tmp_path / "best.pt", "yolov5", **changes)
    with pytest.raises(BundleError, match=message):
        PYTORCH_YOLO.convert(path, tmp_path / "bundle", Wishes())


def test_the_number_that_normalisations_add_is_taken_over(tmp_path: Path):
    path = checkpoint(tmp_path / "best.pt", "yolov5")
    first = PYTORCH_YOLO.convert(path, tmp_path / "first", Wishes())
    ours = build_yolo(table("yolov5"), "yolov5", 2)
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.5
    set_weights(ours)
    path = checkpoint(tmp_path / "best.pt", "yolov5", model=ours.model)
    second = PYTORCH_YOLO.convert(path, tmp_path / "second", Wishes())
    given = {"images": drawn_image(64, 96).numpy()}
    assert not np.allclose(answers(first.weights_path, given)[0], answers(second.weights_path, given)[0], atol=1e-2)


def test_other_tasks_and_other_files_are_named(tmp_path: Path):
    with stand_ins({"ultralytics.nn.tasks.PoseModel": Network}):
        saved({"model": Network()}, tmp_path / "pose.pt")
    assert PYTORCH_YOLO.accepts(tmp_path / "pose.pt")
    with pytest.raises(BundleError, match="holds a PoseModel; Limner reads networks that detect or segment"):
        PYTORCH_YOLO.convert(tmp_path / "pose.pt", tmp_path / "bundle", Wishes())
    saved({"weight": torch.ones(1)}, tmp_path / "plain.pt")
    assert not PYTORCH_YOLO.accepts(tmp_path / "plain.pt")
    assert not PYTORCH_YOLO.accepts(tmp_path)
    with pytest.raises(CheckpointError, match="holds no network of YOLOv5"):
        PYTORCH_YOLO.convert(tmp_path / "plain.pt", tmp_path / "bundle", Wishes())


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.path}",)


def test_a_trap_inside_a_network_is_refused_by_name(tmp_path: Path):
    path = checkpoint(tmp_path / "best.pt", "yolov5", trap=Trap(tmp_path / "was-here"))
    with pytest.raises(UnsafeCheckpointError, match=r"best\.pt is refused\. It names (posix|nt)\.system"):
        PYTORCH_YOLO.convert(path, tmp_path / "bundle", Wishes())
    assert not (tmp_path / "was-here").exists()


def test_the_same_answers_as_yolov5(tmp_path: Path):
    """On the checkpoint that YOLOv5 itself has trained: before suppression and after it."""
    folder = parity_folder() / "yolov5n"
    known = expected("yolov5n")
    bundle = PYTORCH_YOLO.convert(folder / "best.pt", tmp_path, Wishes())
    assert bundle.labels == tuple(known["names"])
    predictor = ONNX.load(bundle, RuntimeOptions())
    for image in known["images"]:
        pixels = parity_pixels(image["image"])
        size = (pixels.shape[1], pixels.shape[0])
        wanted = [Found(known["names"][each["cls"]], tuple(each["box"]), each["score"]) for each in image["instances"]]
        ours = predictor.predict(pixels, size, Options(threshold=known["threshold"]))
        assert_same(wanted, [found(each) for each in ours], known["threshold"])
        assert raw_difference(bundle, pixels, folder / f"raw_{Path(image['image']).stem}.npy") < 0.01


def raw_difference(bundle, pixels, raw: Path) -> float:
    """How far the outputs of the network are from those that the program had, at most."""
    from limner.models.tasks.letterbox import Buffers, plan_input, prepare

    plan = plan_input(bundle.input, (pixels.shape[1], pixels.shape[0]))
    given = answers(bundle.weights_path, {"images": prepare(pixels, bundle.input, plan, Buffers())})[0][0]
    return float(np.abs(given - np.load(raw)).max())
