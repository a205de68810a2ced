"""Small networks for tests and benchmarks, built with the ``onnx`` package.

`bright_boxes_bundle` is a real detector, if a simple one: it finds bright rectangles on a dark ground.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from limner.models.bundle import Bundle
from limner.models.bundle_files import write_bundle
from limner.models.tasks.specs import Boxes, Input, Letterbox, PixelClasses, Stretch, Thresholds, YoloV5, YoloV8

Array = npt.NDArray[Any]
Node = onnx.NodeProto

#: The bright rectangles that `bright_boxes_bundle` finds lie on a grid of so many cells a side.
CELLS = 16
OPSET = [helper.make_opsetid("", 17)]


def constant(name: str, values: Array) -> Node:
    """A node with a fixed output."""
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values, name))


def network(
    nodes: Sequence[Node],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str] | None],
    *,
    initializers: Mapping[str, Array] | None = None,
    metadata: Mapping[str, str] | None = None,
    types: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    """A checked model; inputs and outputs are float32 unless ``types`` says otherwise."""
    types = types or {}
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(n, types.get(n, TensorProto.FLOAT), s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, types.get(n, TensorProto.FLOAT), s) for n, s in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in (initializers or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=OPSET, ir_version=8, producer_name="limner-tests")
    if metadata:
        helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    return model


def fixed_outputs(
    outputs: Mapping[str, Array],
    size: tuple[int | str, int | str] = (64, 64),
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """A network that says the same of every image (its brightness counts for nothing, but is read)."""
    nodes: list[Node] = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        constant("zero", np.array(0, np.float32)),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    types = {}
    for name, values in outputs.items():
        nodes.append(constant(f"{name}.values", values))
        if values.dtype == np.float32:
            nodes.append(helper.make_node("Add", [f"{name}.values", "nothing"], [name]))
        else:
            nodes.append(helper.make_node("Identity", [f"{name}.values"], [name]))
            types[name] = helper.np_dtype_to_tensor_dtype(values.dtype)
    shapes = {name: values.shape for name, values in outputs.items()}
    return network(nodes, {"images": [1, 3, *size]}, shapes, metadata=metadata, types=types)


def save(model: onnx.ModelProto, path: Path) -> Path:
    """Write a network into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def bundle_of(model: onnx.ModelProto, folder: Path, **fields: Any) -> Path:
    """Write a bundle folder: a network and what `Bundle` is to say of it."""
    weights = save(model, folder / "model.onnx")
    defaults: dict[str, Any] = {"name": folder.name, "task": "detect", "labels": ("thing",)}
    write_bundle(Bundle(**(defaults | fields)), folder, weights)
    return folder


def yolov5_rows(rows: Sequence[Sequence[float]]) -> Array:
    """Rows of centre x, centre y, width, height, objectness and scores, as YOLOv5 gives them."""
    return np.asarray(rows, np.float32)[None]


def yolov5_bundle(
    folder: Path, rows: Sequence[Sequence[float]], labels: Sequence[str] = ("a", "b"), side: int = 64
) -> Path:
    """A YOLOv5-shaped head with chosen rows."""
    model = fixed_outputs({"output0": yolov5_rows(rows)}, (side, side))
    spec = Input(resize=Letterbox(width=side, height=side, mapping="yolov5"))
    return bundle_of(model, folder, labels=tuple(labels), input=spec, decoder=YoloV5())


def yolov8_bundle(
    folder: Path,
    rows: Sequence[Sequence[float]],
    labels: Sequence[str] = ("a", "b"),
    side: int = 64,
    prototypes: Array | None = None,
) -> Path:
    """A YOLOv8-shaped head with chosen rows (which it gives as columns), and perhaps prototypes of masks."""
    outputs = {"output0": np.ascontiguousarray(yolov5_rows(rows).transpose(0, 2, 1))}
    if prototypes is not None:
        outputs["output1"] = np.asarray(prototypes, np.float32)[None]
    model = fixed_outputs(outputs, (side, side))
    return bundle_of(
        model,
        folder,
        task="detect" if prototypes is None else "segment",
        labels=tuple(labels),
        input=Input(resize=Letterbox(width=side, height=side, mapping="ultralytics")),
        decoder=YoloV8(masks=0 if prototypes is None else len(prototypes)),
    )


def classes_bundle(folder: Path, labels: Sequence[str] = ("red", "green", "blue"), **spec: Any) -> Path:
    """Pixel classes: the strongest colour of a pixel, or the background where none is above a half."""
    nodes = [
        constant("half", np.full((1, 1, 1, 1), 0.5, np.float32)),
        helper.make_node("ReduceMean", ["images"], ["grey"], axes=[1], keepdims=1),
        constant("zero", np.array(0, np.float32)),
        helper.make_node("Mul", ["grey", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "half"], ["background"]),
        helper.make_node("Concat", ["background", "images"], ["planes"], axis=1),
        constant("ten", np.array(10, np.float32)),
        helper.make_node("Mul", ["planes", "ten"], ["logits"]),
    ]
    model = network(nodes, {"images": [1, 3, "h", "w"]}, {"logits": [1, 4, "h", "w"]})
    resize = spec.pop("resize", Letterbox(width=64, height=64, anchor="corner"))
    return bundle_of(
        model,
        folder,
        task="segment",
        labels=tuple(labels),
        input=Input(resize=resize, filter="nearest", pad=0.0, stride=1, dynamic=True),
        decoder=PixelClasses(**spec),
        thresholds=Thresholds(score=0),
    )


def bright_boxes_bundle(folder: Path, side: int = 256, **fields: Any) -> Path:
    """A detector of bright rectangles on a dark ground: ``bright``, and ``red`` where red is strongest.

    It looks at 16 × 16 cells. Where a cell is bright it finds how far the brightness goes on to each
    side in its row and column, so that a rectangle gets one box for each of its cells, all the same:
    suppression leaves one. Edges are exact when they lie on the grid.
    """
    fields = {"name": folder.name, "version": "1", "title": "Bright boxes", "licence": "CC0-1.0"} | fields
    spec = Input(resize=Letterbox(width=side, height=side, anchor="corner"), filter="area", pad=0.0)
    fields = {"input": spec, "thresholds": Thresholds(score=0.3, iou=0.5, max_detections=100)} | fields
    decoder = Boxes(outputs=("boxes", "scores"), units="fractions", nms=True)
    return bundle_of(_bright_boxes(side), folder, labels=("bright", "red"), decoder=decoder, **fields)


def _bright_boxes(side: int) -> onnx.ModelProto:
    """Brightness by cell; then, for each cell, the ends of the bright run that it belongs to."""
    positions = np.arange(CELLS, dtype=np.float32)
    step = side // CELLS
    far = np.float32(1000)
    # before[i, j]: j where j ≤ i, else so far away that it never counts; after the other way round.
    before = np.where(positions[None] <= positions[:, None], positions[None], -far)
    after = np.where(positions[None] >= positions[:, None], positions[None], far)
    nodes: list[Node] = [
        helper.make_node("AveragePool", ["images"], ["cells"], kernel_shape=[step, step], strides=[step, step]),
        helper.make_node("ReduceMean", ["cells"], ["grey"], axes=[0, 1], keepdims=0),
        constant("level", np.array(0.5, np.float32)),
        helper.make_node("Greater", ["grey", "level"], ["bright?"]),
        helper.make_node("Cast", ["bright?"], ["bright"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["bright"], ["turned"], perm=[1, 0]),
        constant("before", before.astype(np.float32)),
        constant("after", after.astype(np.float32)),
        constant("one", np.array(1, np.float32)),
        constant("far", np.array(far, np.float32)),
        constant("first", np.array(-1, np.float32)),
        constant("last", np.array(CELLS, np.float32)),
        constant("count", np.array(CELLS, np.float32)),
        constant("axis1", np.array([1], np.int64)),
        constant("axis2", np.array([2], np.int64)),
        *_run_ends("bright", "x"),
        *_run_ends("turned", "yt"),
        helper.make_node("Transpose", ["yt.low"], ["y.low"], perm=[1, 0]),
        helper.make_node("Transpose", ["yt.high"], ["y.high"], perm=[1, 0]),
    ]
    edges = []
    for name in ("x.low", "y.low", "x.high", "y.high"):
        nodes += [
            helper.make_node("Div", [name, "count"], [f"{name}.part"]),
            helper.make_node("Unsqueeze", [f"{name}.part", "axis2"], [f"{name}.edge"]),
        ]
        edges.append(f"{name}.edge")
    nodes += [
        constant("rows", np.array([1, CELLS * CELLS, 4], np.int64)),
        constant("pairs", np.array([1, CELLS * CELLS, 2], np.int64)),
        constant("channel0", np.array(0, np.int64)),
        constant("channel1", np.array(1, np.int64)),
        helper.make_node("Concat", edges, ["grid"], axis=2),
        helper.make_node("Reshape", ["grid", "rows"], ["boxes"]),
        helper.make_node("Squeeze", ["cells"], ["colours"]),
        helper.make_node("Gather", ["colours", "channel0"], ["red"], axis=0),
        helper.make_node("Gather", ["colours", "channel1"], ["green"], axis=0),
        helper.make_node("Sub", ["red", "green"], ["redness"]),
        helper.make_node("Mul", ["grey", "bright"], ["score.bright"]),
        helper.make_node("Add", ["score.bright", "redness"], ["redder"]),
        helper.make_node("Mul", ["redder", "bright"], ["more"]),
        constant("little", np.array(0.01, np.float32)),
        helper.make_node("Sub", ["more", "little"], ["score.red"]),
        helper.make_node("Unsqueeze", ["score.bright", "axis2"], ["score0"]),
        helper.make_node("Unsqueeze", ["score.red", "axis2"], ["score1"]),
        helper.make_node("Concat", ["score0", "score1"], ["score"], axis=2),
        helper.make_node("Clip", ["score", "zero", "one"], ["clipped"]),
        constant("zero", np.array(0, np.float32)),
        helper.make_node("Reshape", ["clipped", "pairs"], ["scores"]),
    ]
    shapes = {"boxes": [1, CELLS * CELLS, 4], "scores": [1, CELLS * CELLS, 2]}
    return network(_sorted(nodes), {"images": [1, 3, side, side]}, shapes)


def _run_ends(bright: str, name: str) -> list[Node]:
    """For each cell of each row: where the bright run that it belongs to begins and ends.

    It begins after the last dark cell before it: the greatest ``j ≤ i`` among the dark ones, plus 1.
    """
    dark, push = f"{name}.dark", f"{name}.push"
    return [
        helper.make_node("Mul", [bright, "far"], [push]),  # bright cells are pushed out of the way
        helper.make_node("Unsqueeze", [push, "axis1"], [dark]),
        helper.make_node("Sub", ["before", dark], [f"{name}.before"]),
        helper.make_node("Add", ["after", dark], [f"{name}.after"]),
        helper.make_node("ReduceMax", [f"{name}.before"], [f"{name}.start"], axes=[2], keepdims=0),
        helper.make_node("ReduceMin", [f"{name}.after"], [f"{name}.end"], axes=[2], keepdims=0),
        helper.make_node("Max", [f"{name}.start", "first"], [f"{name}.from"]),
        helper.make_node("Min", [f"{name}.end", "last"], [f"{name}.high"]),
        helper.make_node("Add", [f"{name}.from", "one"], [f"{name}.low"]),
    ]


def _sorted(nodes: Sequence[Node]) -> list[Node]:
    """Constants first: nodes have to come after what they use."""
    return sorted(nodes, key=lambda node: node.op_type != "Constant")


def noop_bundle(folder: Path, **fields: Any) -> Path:
    """A detector that finds nothing and costs nothing."""
    model = fixed_outputs({"output0": yolov5_rows([[0] * 6])}, (32, 32))
    spec = Input(resize=Stretch(width=32, height=32))
    return bundle_of(model, folder, **({"input": spec, "decoder": YoloV5()} | fields))


def yolov5n_like_bundle(folder: Path, side: int = 640, **fields: Any) -> Path:
    """A network of the cost of YOLOv5n (4.5 GFLOP at 640 × 640, 1.9 million parameters) with random weights.

    For benchmarks. Its head has the shape of YOLOv5n's (25,200 rows of 85), and finds nothing.
    """
    labels = tuple(f"class {i}" for i in range(80))
    spec = Input(resize=Letterbox(width=side, height=side, mapping="yolov5"))
    given = {"labels": labels, "input": spec, "decoder": YoloV5()} | fields
    return bundle_of(_yolov5n_like(side), folder, **given)


class _Builder:
    """Puts convolutions one after the other, with random weights from a fixed seed."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.weights: dict[str, Array] = {}
        self._random = np.random.default_rng(5)

    def conv(self, source: str, cin: int, cout: int, kernel: int = 1, stride: int = 1, *, active: bool = True) -> str:
        """A convolution, followed by SiLU."""
        name = f"conv{len(self.weights)}"
        scale = (1 / (cin * kernel * kernel)) ** 0.5
        self.weights[f"{name}.w"] = self._random.normal(0, scale, (cout, cin, kernel, kernel)).astype(np.float32)
        pads = [kernel // 2] * 4 if kernel != 6 else [2] * 4
        self.nodes.append(
            helper.make_node(
                "Conv", [source, f"{name}.w"], [name], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads
            )
        )
        if not active:
            return name
        self.nodes.append(helper.make_node("Sigmoid", [name], [f"{name}.s"]))
        return self.node("Mul", [name, f"{name}.s"])

    def node(self, kind: str, sources: Sequence[str], **attributes: Any) -> str:
        """Any other node with one output."""
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(sources), [name], **attributes))
        return name

    def c3(self, source: str, cin: int, cout: int, count: int = 1, *, shortcut: bool = True) -> str:
        """Cross-stage partial block with three convolutions."""
        half = cout // 2
        left, right = self.conv(source, cin, half), self.conv(source, cin, half)
        for _ in range(count):
            inner = self.conv(self.conv(left, half, half), half, half, 3)
            left = self.node("Add", [left, inner]) if shortcut else inner
        return self.conv(self.node("Concat", [left, right], axis=1), cout, cout)

    def up(self, source: str) -> str:
        """Twice the size."""
        self.weights["twice"] = np.array([1, 1, 2, 2], np.float32)
        return self.node("Resize", [source, "", "twice"], mode="nearest")


def _yolov5n_like(side: int) -> onnx.ModelProto:
    b = _Builder()
    x = b.conv("images", 3, 16, 6, 2)
    x = b.c3(b.conv(x, 16, 32, 3, 2), 32, 32)
    p3 = b.c3(b.conv(x, 32, 64, 3, 2), 64, 64, 2)
    p4 = b.c3(b.conv(p3, 64, 128, 3, 2), 128, 128, 3)
    x = b.c3(b.conv(p4, 128, 256, 3, 2), 256, 256)
    x = b.conv(x, 256, 128)
    pools = [x]
    for _ in range(3):
        pools.append(b.node("MaxPool", [pools[-1]], kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4))
    n5 = b.conv(b.conv(b.node("Concat", pools, axis=1), 512, 256), 256, 128)
    n4 = b.c3(b.node("Concat", [b.up(n5), p4], axis=1), 256, 128, shortcut=False)
    n4 = b.conv(n4, 128, 64)
    o3 = b.c3(b.node("Concat", [b.up(n4), p3], axis=1), 128, 64, shortcut=False)
    o4 = b.c3(b.node("Concat", [b.conv(o3, 64, 64, 3, 2), n4], axis=1), 128, 128, shortcut=False)
    o5 = b.c3(b.node("Concat", [b.conv(o4, 128, 128, 3, 2), n5], axis=1), 256, 256, shortcut=False)
    heads = []
    for source, channels, stride in ((o3, 64, 8), (o4, 128, 16), (o5, 256, 32)):
        raw, cells = b.conv(source, channels, 255, active=False), side // stride
        b.weights[f"split{stride}"] = np.array([1, 3, 85, cells * cells], np.int64)
        b.weights[f"flat{stride}"] = np.array([1, 3 * cells * cells, 85], np.int64)
        parts = b.node("Transpose", [b.node("Reshape", [raw, f"split{stride}"])], perm=[0, 1, 3, 2])
        heads.append(b.node("Reshape", [parts, f"flat{stride}"]))
    everything = b.node("Sigmoid", [b.node("Concat", heads, axis=1)])
    # Scores are about a half each, so their product is a quarter: a tenth of that is below any threshold.
    b.weights["tenth"] = np.array(0.1, np.float32)
    b.nodes.append(helper.make_node("Mul", [everything, "tenth"], ["output0"]))
    count = sum(3 * (side // stride) ** 2 for stride in (8, 16, 32))
    return network(b.nodes, {"images": [1, 3, side, side]}, {"output0": [1, count, 85]}, initializers=b.weights)
