from __future__ import annotations

import pytest
import torch

from limner.core.errors import BundleError
from limner.models.architectures.yolo import build_yolo
from limner.models.architectures.yolo_blocks import Conv
from tests.models.architectures.yolo_tables import drawn_image, set_weights, yolo11, yolov5, yolov8

#: What the original programs (YOLOv5 7.0, ultralytics 8.4) give with these tables, weights and image: shape, mean,
#: standard deviation, and two of the numbers.
KNOWN = {
    "yolov8n": [((1, 8, 126), (50.1133, 78.5034, 117.7804, 0.5106))],
    "yolov8n-seg": [
        ((1, 40, 126), (10.03, 40.4145, -0.0391, 0.0815)),
        ((1, 32, 16, 24), (0.0047, 0.0549, -0.0844, 0.019)),
    ],
    "yolo11n": [((1, 8, 126), (50.0853, 78.5201, 117.8487, 0.5))],
    "yolo11m": [((1, 8, 126), (50.0873, 78.5371, 117.8575, 0.4998))],
    "yolo11n-seg": [
        ((1, 40, 126), (10.0244, 40.4155, -0.0384, 0.0763)),
        ((1, 32, 16, 24), (0.0046, 0.0547, -0.0844, 0.0209)),
    ],
    "yolov5nu": [((1, 8, 126), (50.1147, 78.5066, 117.8185, 0.5146))],
    "yolov5n": [((1, 378, 9), (17.6176, 32.1544, 52.0685, 0.5254))],
    "yolov5n-seg": [
        ((1, 378, 41), (3.9159, 17.3971, 52.0039, -0.0322)),
        ((1, 32, 16, 24), (0.0032, 0.0506, -0.0416, 0.0463)),
    ],
}
TABLES = {
    "yolov8n": (yolov8(), "ultralytics"),
    "yolov8n-seg": (yolov8(masks=True), "ultralytics"),
    "yolo11n": (yolo11(), "ultralytics"),
    "yolo11m": (yolo11("m"), "ultralytics"),
    "yolo11n-seg": (yolo11(masks=True), "ultralytics"),
    "yolov5nu": (yolov5(program="ultralytics"), "ultralytics"),
    "yolov5n": (yolov5(), "yolov5"),
    "yolov5n-seg": (yolov5(masks=True), "yolov5"),
}


@pytest.mark.parametrize("name", sorted(KNOWN))
@torch.no_grad()
def test_networks_answer_as_in_their_programs(name):
    table, program = TABLES[name]
    module = build_yolo(table, program, 4).eval()
    set_weights(module)
    answer = module(drawn_image(64, 96))
    answers = [answer] if isinstance(answer, torch.Tensor) else answer
    assert len(answers) == len(KNOWN[name])
    for found, (shape, numbers) in zip(answers, KNOWN[name], strict=True):
        flat = found.flatten()
        actual = (found.mean(), found.std(), flat[len(flat) // 3], flat[-1])
        assert found.shape == shape
        assert [round(float(each), 3) for each in actual] == pytest.approx(numbers, abs=2e-3)


def small(**changes):
    rows = {
        "backbone": [[-1, 1, "Conv", [16, 3, 8]], [-1, 1, "C3", [16]]],
        "head": [[[0, 1], 1, "Concat", [1]], [[2], 1, "Detect", ["nc", "anchors"]]],
        "anchors": [[4, 4, 8, 8]],
    }
    return rows | changes


def test_strides_widths_and_repeats_follow_from_the_table():
    module = build_yolo(small(width_multiple=0.5, depth_multiple=2), "yolov5", 3)
    assert module.head.stride == (8,)
    assert module.head.nc == 3
    assert module.model[0].conv.out_channels == 8
    assert module(torch.zeros(1, 3, 16, 24)).shape == (1, 2 * 3 * 2, 8)
    many = build_yolo(
        small(backbone=[[-1, 3, "Conv", [16, 3, 2]], [-1, 4, "C3", [16]]], depth_multiple=0.5), "yolov5", 1
    )
    assert (len(many.model[0]), len(many.model[1].m)) == (2, 2)
    assert many.head.stride == (4,)


@pytest.mark.parametrize("kind", ["BottleneckCSP", "SPP", "SPPF", "Bottleneck", "Focus"])
def test_layers_of_older_networks(kind):
    args = {"SPP": [16, [3, 5]], "SPPF": [16, 3]}.get(kind, [16])
    first = [[-1, 1, "Focus", [16, 3]]] if kind == "Focus" else [[-1, 1, "Conv", [16, 3, 2]]]
    table = small(backbone=[*first, [-1, 2, kind if kind != "Focus" else "C3", args]])
    module = build_yolo(table, "yolov5", 1).eval()
    assert module.head.stride == (2,)
    assert module(torch.zeros(1, 3, 16, 16)).shape == (1, 128, 6)


def test_another_activation():
    module = build_yolo(small(activation="nn.LeakyReLU(0.1)"), "yolov5", 1)
    kinds = {type(each.act).__name__ for each in module.modules() if isinstance(each, Conv)}
    assert kinds == {"LeakyReLU"}
    with pytest.raises(BundleError, match="uses the activation exit"):
        build_yolo(small(activation="exit()"), "yolov5", 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": [[-1, 1, "GhostConv", [16]]]}, "layer GhostConv, which is not known"),
        ({"backbone": [[-1, 1, "Conv", ["__import__('os')"]]]}, "cannot be made"),
        ({"backbone": [[-1, 1, "Conv"]]}, "cannot be made"),
        ({"backbone": [], "head": []}, "has 0 layers"),
        ({"backbone": [[-1, 1, "Conv", [8]]] * 600}, "has 602 layers"),
        ({"head": [[5, 1, "Conv", [8]]]}, "cannot be made"),
        ({"head": [[-1, 1, "C2PSA", [64]]]}, "cannot be made"),
        ({"head": []}, "no head"),
        ({"anchors": []}, "cannot be made"),
        ({"scales": {"n": [1]}}, "cannot be made"),
    ],
)
def test_tables_that_make_no_network(changes, message):
    with pytest.raises(BundleError, match=message):
        build_yolo(small(**changes), "yolov5", 2)
