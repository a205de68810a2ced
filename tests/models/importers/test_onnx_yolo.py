from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from limner.annotations.shapes import Box, Mask
from limner.core.errors import BundleError
from limner.models.bundle_files import read_bundle
from limner.models.importers.onnx_yolo import ONNX_YOLO, import_onnx
from limner.models.importers.protocol import Wishes
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from limner.models.tasks.specs import Rows, YoloV5, YoloV8
from tests.models.networks import fixed_outputs, network, save, yolov5_rows

V5 = {"stride": "32", "names": "{0: 'illustration', 1: 'initial'}"}
V8 = {
    "description": "Ultralytics YOLO11n model",
    "author": "Ultralytics",
    "license": "AGPL-3.0 License (https://ultralytics.com/license)",
    "stride": "32",
    "task": "detect",
    "imgsz": "[64, 96]",
    "names": "{0: 'illustration', 1: 'initial'}",
}
ROWS = yolov5_rows([[32, 16, 20, 8, 0.9, 1, 0], [8, 32, 8, 8, 0.6, 0, 1]])
COLUMNS = np.ascontiguousarray(np.delete(ROWS, 4, axis=2).transpose(0, 2, 1))


def exported(path: Path, metadata, size=(64, 64), **outputs) -> Path:
    return save(fixed_outputs(outputs, size, metadata), path)


def predicted(folder: Path, size=(64, 64)):
    predictor = ONNX.load(read_bundle(folder), RuntimeOptions())
    return predictor.predict(np.zeros((size[1], size[0], 3), np.uint8), size, Options())


def test_yolov5(tmp_path: Path):
    path = exported(tmp_path / "Best Model (v2).onnx", V5, output0=ROWS)
    assert ONNX_YOLO.accepts(path)
    folder = import_onnx(path, tmp_path / "bundle")
    bundle = read_bundle(folder)
    assert (bundle.ref, bundle.task, bundle.labels) == ("best-model-v2@1", "detect", ("illustration", "initial"))
    assert bundle.decoder == YoloV5()
    assert bundle.input.resize.mapping == "yolov5"
    assert (bundle.input.resize.width, bundle.input.stride, bundle.input.dynamic) == (64, 32, False)
    assert (bundle.thresholds.score, bundle.thresholds.iou) == (0.25, 0.45)
    assert bundle.provenance.source == path.name
    found = predicted(folder)
    assert [(each.label, each.shape) for each in found] == [
        ("illustration", Box(22, 12, 20, 8)),
        ("initial", Box(4, 28, 8, 8)),
    ]


def test_ultralytics_of_any_size(tmp_path: Path):
    path = exported(tmp_path / "best.onnx", V8, size=("height", "width"), output0=COLUMNS)
    folder = import_onnx(path, tmp_path / "bundle", name="figures", labels=("figure", "letter"))
    bundle = read_bundle(folder)
    assert (bundle.name, bundle.labels) == ("figures", ("figure", "letter"))
    assert bundle.decoder == YoloV8()
    assert (bundle.input.resize.width, bundle.input.resize.height) == (96, 64)
    assert bundle.input.dynamic
    assert bundle.input.resize.mapping == "ultralytics"
    assert bundle.thresholds.iou == 0.7
    assert bundle.licence.startswith("AGPL-3.0")
    assert [each.label for each in predicted(folder, (96, 64))] == ["figure", "letter"]


def test_ultralytics_that_segments(tmp_path: Path):
    columns = np.concatenate([COLUMNS, [[[1, -1], [0, 0], [0, 0]]]], axis=1).astype(np.float32)
    prototypes = np.ones((1, 3, 16, 16), np.float32)
    path = exported(tmp_path / "s.onnx", V8 | {"task": "segment"}, output0=columns, output1=prototypes)
    folder = import_onnx(path, tmp_path / "bundle")
    bundle = read_bundle(folder)
    assert (bundle.task, bundle.decoder) == ("segment", YoloV8(masks=3))
    assert [type(each.shape) for each in predicted(folder)] == [Mask, Box]


def test_yolov5_that_segments(tmp_path: Path):
    rows = np.concatenate([ROWS, np.ones((1, 2, 3), np.float32)], axis=2)
    path = exported(tmp_path / "s.onnx", V5, output0=rows, output1=np.ones((1, 3, 16, 16), np.float32))
    bundle = read_bundle(import_onnx(path, tmp_path / "bundle"))
    assert (bundle.task, bundle.decoder) == ("segment", YoloV5(masks=3))


def test_suppression_inside_the_network(tmp_path: Path):
    rows = np.array([[[22, 12, 42, 20, 0.9, 0], [4, 28, 12, 36, 0.6, 1], [0] * 6]], np.float32)
    folder = import_onnx(exported(tmp_path / "e.onnx", V8, output0=rows), tmp_path / "bundle")
    assert read_bundle(folder).decoder == Rows()
    assert [each.shape for each in predicted(folder)] == [Box(22, 12, 20, 8), Box(4, 28, 8, 8)]


@pytest.mark.parametrize(("metadata", "decoder"), [(V5, YoloV5()), (V8, Rows())])
def test_a_row_of_six_with_one_label(tmp_path: Path, metadata, decoder):
    path = exported(tmp_path / "m.onnx", metadata | {"names": "['only']"}, output0=np.zeros((1, 300, 6), np.float32))
    assert read_bundle(import_onnx(path, tmp_path / "bundle")).decoder == decoder


def test_half_precision(tmp_path: Path):
    node = helper.make_node("GlobalAveragePool", ["images"], ["pooled"])
    shape = helper.make_tensor("shape", TensorProto.INT64, [3], [1, 1, 3])
    outputs = [helper.make_tensor_value_info("output0", TensorProto.FLOAT16, [1, 1, 7])]
    pad = helper.make_node("Concat", ["flat", "flat", "first"], ["output0"], axis=2)
    nodes = [
        node,
        helper.make_node("Reshape", ["pooled", "shape"], ["flat"]),
        helper.make_node("Slice", ["flat", "zero", "one", "two"], ["first"]),
        pad,
    ]
    constants = [
        helper.make_tensor(name, TensorProto.INT64, [1], [value])
        for name, value in zip(("zero", "one", "two"), range(3), strict=True)
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT16, [1, 3, 32, 32])
    model = helper.make_model(
        helper.make_graph(nodes, "g", [images], outputs, [shape, *constants]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    helper.set_model_props(model, V5)
    folder = import_onnx(save(model, tmp_path / "m.onnx"), tmp_path / "bundle")
    assert read_bundle(folder).input.dtype == "float16"
    assert predicted(folder, (32, 32)) == []


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            "__import__('os').system('touch /tmp/limner-was-here')",
            "names in the metadata of the network cannot be read",
        ),
        ("{0: 'a', 2: 'b'}", "no names"),
        ("{}", "no names"),
        ("3", "no names"),
        ("{0: 'a', 1: 'a'}", "stands there twice"),
        ("['a']", "fits no YOLO with 1 labels"),
        ("[" * 200, "cannot be read"),
        ("['" + "a" * 1_000_001 + "']", "too long"),
    ],
)
def test_names_are_read_and_never_run(tmp_path: Path, names, message):
    path = exported(tmp_path / "m.onnx", {"names": names}, output0=np.zeros((1, 25, 7), np.float32))
    with pytest.raises(BundleError, match=message):
        import_onnx(path, tmp_path / "bundle")
    assert not Path("/tmp/limner-was-here").exists()


@pytest.mark.parametrize(
    ("metadata", "outputs", "message"),
    [
        (V8 | {"task": "pose"}, {"output0": COLUMNS}, "made for the task pose"),
        (
            V5,
            {"output0": np.zeros((1, 10, 9), np.float32)},
            "gives 1 × 10 × 9 numbers, which fits no YOLO with 2 labels",
        ),
        (V5, {"output0": np.zeros((1, 7), np.float32)}, "no output of boxes"),
        (V5 | {"stride": "-5"}, {"output0": ROWS}, "stride"),
        (V5 | {"stride": "'x'"}, {"output0": ROWS}, "stride"),
    ],
)
def test_what_limner_cannot_read_is_said(tmp_path: Path, metadata, outputs, message):
    path = exported(tmp_path / "m.onnx", metadata, **outputs)
    with pytest.raises(BundleError, match=message):
        import_onnx(path, tmp_path / "bundle")


@pytest.mark.parametrize("shape", [[4, 3, 64, 64], [1, 1, 64, 64]])
def test_networks_for_several_images_or_for_grey_ones_are_refused(tmp_path: Path, shape):
    node = helper.make_node("ReduceMean", ["images"], ["output0"], axes=[1], keepdims=0)
    model = network([node], {"images": shape}, {"output0": [shape[0], 64, 64]}, metadata=V5)
    labels = tuple(map(str, range(64 - 5)))
    with pytest.raises(BundleError, match="takes images: " + " × ".join(map(str, shape))):
        import_onnx(save(model, tmp_path / "m.onnx"), tmp_path / "bundle", labels=labels)


@pytest.mark.parametrize("name", ["m.onnx", "m.pt", "missing.onnx"])
def test_what_is_not_ours_is_not_accepted(tmp_path: Path, name):
    if name != "missing.onnx":
        (tmp_path / name).write_bytes(b"something else")
    assert not ONNX_YOLO.accepts(tmp_path / name)


def test_an_onnx_file_of_another_program_is_not_accepted(tmp_path: Path):
    assert not ONNX_YOLO.accepts(exported(tmp_path / "m.onnx", None, output0=ROWS))
    # Asked for by name it is tried, and needs labels.
    with pytest.raises(BundleError, match="no names of labels"):
        ONNX_YOLO.convert(tmp_path / "m.onnx", tmp_path / "bundle", Wishes())
    bundle = ONNX_YOLO.convert(tmp_path / "m.onnx", tmp_path / "bundle", Wishes(labels=("a", "b"), version="3"))
    assert bundle.ref == "m@3"


def opened(path: Path, metadata) -> Path:
    """A network whose file does not say how large its input and outputs are, as `dynamic=True` exports them."""
    model = fixed_outputs({"output0": COLUMNS}, (64, 96), metadata)
    for value in (*model.graph.input, *model.graph.output):
        for number, dimension in enumerate(value.type.tensor_type.shape.dim):
            if value.name == "output0" or number > 1:
                dimension.ClearField("dim_value")
                dimension.dim_param = f"d{number}"
    return save(model, path)


def test_shapes_that_the_file_leaves_open_are_found_by_trying(tmp_path: Path):
    folder = import_onnx(opened(tmp_path / "open.onnx", V8), tmp_path / "bundle")
    bundle = read_bundle(folder)
    assert bundle.decoder == YoloV8()
    assert bundle.input.dynamic


def test_an_image_size_beyond_reason_is_refused_before_anything_runs(tmp_path: Path):
    path = opened(tmp_path / "huge.onnx", V8 | {"imgsz": "[999999, 999999]"})
    with pytest.raises(BundleError, match="999999"):
        import_onnx(path, tmp_path / "bundle")
