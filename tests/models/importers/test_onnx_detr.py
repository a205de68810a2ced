"""ONNX files of RT-DETR and its kin."""

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from limner.core.errors import BundleError
from limner.models.bundle import Bundle
from limner.models.importers.onnx_detr import ONNX_DETR
from limner.models.importers.protocol import Wishes, importer_for
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from limner.models.tasks.specs import Detr, Fixed, Shortest
from tests.models.networks import constant, fixed_outputs, network, save

WISHES = Wishes(labels=("a", "b"))
LOW, HIGH = -8.0, 2.0  # 0.0003 and 0.8808 after the sigmoid


def finished_network(size: tuple[int | str, int | str] = (64, 64)):
    """As RT-DETR is exported: boxes times the width and height that are given."""
    boxes = np.array([[[0.25, 0.5, 0.5, 1.0], [0, 0, 0.5, 0.25]]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        constant("zero", np.array(0, np.float32)),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["sizes", "sizes"], ["four"], axis=1),
        constant("axis", np.array([1], np.int64)),
        helper.make_node("Unsqueeze", ["four", "axis"], ["factors"]),
        constant("fractions", boxes),
        helper.make_node("Mul", ["fractions", "factors"], ["all"]),
        helper.make_node("Add", ["all", "nothing"], ["boxes"]),
        constant("labels", np.array([[1, 0]], np.int64)),
        constant("scores", np.array([[0.9, 0.6]], np.float32)),
    ]
    return network(
        nodes,
        {"images": ["N", 3, *size], "orig_target_sizes": ["N", 2]},
        {"labels": [1, 2], "boxes": [1, 2, 4], "scores": [1, 2]},
        types={"orig_target_sizes": TensorProto.INT64, "labels": TensorProto.INT64},
    )


def queries(logits: list[list[float]], names: tuple[str, str] = ("logits", "pred_boxes")):
    boxes = [[0.5, 0.5, 0.5, 0.25]] * len(logits)
    return fixed_outputs({names[0]: np.array([logits], np.float32), names[1]: np.array([boxes], np.float32)}, (64, 64))


def found(bundle: Bundle, width: int = 128, height: int = 64) -> list[tuple]:
    image = np.full((height, width, 3), 90, np.uint8)
    each = ONNX.load(bundle, RuntimeOptions(threads=1)).predict(image, (width, height), Options())
    return [(a.label, round(a.score or 0, 2), tuple(round(x, 2) for x in a.shape.bounds.corners)) for a in each]


def test_labels_boxes_and_scores_with_the_size_as_an_input(tmp_path: Path) -> None:
    path = save(finished_network(), tmp_path / "rtdetr.onnx")
    assert importer_for(path) is ONNX_DETR
    bundle = ONNX_DETR.convert(path, tmp_path / "b", WISHES)
    assert bundle.input is not None
    assert bundle.input.size_input == "orig_target_sizes"
    assert found(bundle) == [("b", 0.9, (32, 32, 64, 64)), ("a", 0.6, (0, 0, 64, 16))]


def test_logits_for_each_query(tmp_path: Path) -> None:
    """A query that stands for two labels gives two annotations."""
    path = save(queries([[HIGH, LOW], [1.0, HIGH]]), tmp_path / "rtdetr_hf.onnx")
    assert importer_for(path) is ONNX_DETR
    bundle = ONNX_DETR.convert(path, tmp_path / "b", WISHES)
    box = (32, 24, 96, 40)
    assert sorted(found(bundle)) == [("a", 0.73, box), ("a", 0.88, box), ("b", 0.88, box)]


def test_rf_detr_has_a_spare_logit_and_the_colours_of_imagenet(tmp_path: Path) -> None:
    path = save(queries([[LOW, HIGH, HIGH]], ("labels", "dets")), tmp_path / "rf-detr.onnx")
    assert importer_for(path) is ONNX_DETR
    bundle = ONNX_DETR.convert(path, tmp_path / "b", WISHES)
    assert bundle.input is not None
    assert isinstance(bundle.input.normalisation, Fixed)
    assert bundle.input.normalisation.std == (0.229, 0.224, 0.225)
    assert [each[0] for each in found(bundle)] == ["b"]


def test_the_last_logit_of_detr_is_nothing(tmp_path: Path) -> None:
    path = save(queries([[LOW, LOW, HIGH], [LOW, HIGH, LOW]]), tmp_path / "detr.onnx")
    bundle = ONNX_DETR.convert(path, tmp_path / "b", WISHES)
    assert isinstance(bundle.decoder, Detr)
    assert bundle.decoder.activation == "softmax"
    assert [each[:2] for each in found(bundle)] == [("b", 1.0)]


def test_what_transformers_leaves_beside_it_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    boxes, logits = np.array([[[0.5, 0.5, 0.5, 0.25]]], np.float32), np.array([[[LOW, HIGH, LOW]]], np.float32)
    model = fixed_outputs({"logits": logits, "pred_boxes": boxes}, ("h", "w"))
    path = save(model, folder / "onnx" / "model.onnx")
    config = {"model_type": "rt_detr", "id2label": {"0": "N/A", "1": "seal", "2": "N/A"}}
    (folder / "config.json").write_text(json.dumps(config))
    told = {
        "size": {"shortest_edge": 48, "longest_edge": 80},
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.25, 0.25, 0.25],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
    bundle = ONNX_DETR.convert(path, tmp_path / "b", Wishes())
    assert bundle.labels == ("N/A 0", "seal", "N/A 2")
    assert bundle.input is not None
    assert bundle.input.resize == Shortest(side=48, longest=80, rounding="floor")
    assert bundle.input.normalisation == Fixed(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    assert found(bundle) == [("seal", 0.88, (32, 24, 96, 40))]
    (folder / "config.json").write_text("{")
    with pytest.raises(BundleError, match=r"config\.json beside the network"):
        ONNX_DETR.convert(path, tmp_path / "b2", Wishes())


def test_outputs_that_leave_their_lengths_open_are_tried(tmp_path: Path) -> None:
    model = queries([[HIGH, LOW]])
    for output in model.graph.output:
        for axis in output.type.tensor_type.shape.dim:
            axis.ClearField("dim_value")
            axis.dim_param = "n"
    bundle = ONNX_DETR.convert(save(model, tmp_path / "x.onnx"), tmp_path / "b", WISHES)
    assert [each[0] for each in found(bundle)] == ["a"]


@pytest.mark.parametrize(("count", "message"), [(1, "2 logits for each query, and 4"), (0, "labels are called")])
def test_labels_have_to_fit(tmp_path: Path, count: int, message: str) -> None:
    path = save(queries([[HIGH, LOW]]), tmp_path / "x.onnx")
    with pytest.raises(BundleError, match=message):
        ONNX_DETR.convert(path, tmp_path / "b", Wishes(labels=("a", "b", "c", "d") if count else None))


def test_other_networks_are_left_to_others(tmp_path: Path) -> None:
    path = save(fixed_outputs({"output0": np.zeros((1, 5, 7), np.float32)}), tmp_path / "x.onnx")
    assert not ONNX_DETR.accepts(path)
    with pytest.raises(BundleError, match="no boxes and logits of queries"):
        ONNX_DETR.convert(path, tmp_path / "b", WISHES)
    (tmp_path / "y.onnx").write_bytes(b"nothing")
    assert not ONNX_DETR.accepts(tmp_path / "y.onnx")
