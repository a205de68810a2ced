"""ONNX files of EfficientDet, in the forms of three programs."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from limner.core.errors import BundleError
from limner.models.bundle import Bundle
from limner.models.importers.onnx_efficientdet import ONNX_EFFICIENTDET
from limner.models.importers.protocol import Wishes, importer_for
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from tests.models.networks import constant, fixed_outputs, network, save

WISHES = Wishes(labels=("a", "b"))


def pixels_network(outputs: dict[str, np.ndarray], height: int | str, width: int | str):
    """A network that takes pixels as they are, height × width × 3, and says the same of all."""
    nodes = [
        helper.make_node("Cast", ["image_arrays:0"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], keepdims=0),
        constant("zero", np.array(0, np.float32)),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    for name, values in outputs.items():
        nodes += [constant(f"{name}.values", values), helper.make_node("Add", [f"{name}.values", "nothing"], [name])]
    return network(
        nodes,
        {"image_arrays:0": [1, height, width, 3]},
        {name: values.shape for name, values in outputs.items()},
        types={"image_arrays:0": TensorProto.UINT8},
    )


def found(bundle: Bundle, width: int, height: int) -> list[tuple]:
    image = np.full((height, width, 3), 90, np.uint8)
    each = ONNX.load(bundle, RuntimeOptions(threads=1)).predict(image, (width, height), Options())
    return [(a.label, round(a.score or 0, 3), tuple(round(x, 2) for x in a.shape.bounds.corners)) for a in each]


def rows(*values: list[float]) -> np.ndarray:
    return np.array([values], np.float32)


def test_rows_of_automl(tmp_path: Path) -> None:
    model = pixels_network({"detections:0": rows([0, 10, 20, 30, 60, 0.9, 2], [0, 0, 0, 0, 0, 0, 0])}, "h", "w")
    path = save(model, tmp_path / "d0.onnx")
    assert importer_for(path) is ONNX_EFFICIENTDET
    bundle = ONNX_EFFICIENTDET.convert(path, tmp_path / "b", WISHES)
    assert found(bundle, 200, 100) == [("b", 0.9, (20, 10, 60, 30))]


def test_boxes_of_tensorflow_are_fractions_and_begin_with_the_top(tmp_path: Path) -> None:
    model = pixels_network(
        {
            "num_detections": np.array([1], np.float32),
            "detection_classes": rows(1, 1),
            "detection_boxes": rows([0.1, 0.2, 0.5, 0.6], [0, 0, 0, 0]),
            "detection_scores": rows(0.8, 0),
        },
        512,
        512,
    )
    path = save(model, tmp_path / "saved.onnx")
    assert importer_for(path) is ONNX_EFFICIENTDET
    bundle = ONNX_EFFICIENTDET.convert(path, tmp_path / "b", WISHES)
    # The longer side fills 512: 1024 × 512 lies in the upper half.
    assert found(bundle, 1024, 512) == [("a", 0.8, (204.8, 102.4, 614.4, 512))]


def test_rows_of_effdet(tmp_path: Path) -> None:
    model = fixed_outputs({"output": rows([16, 8, 32, 24, 0.7, 1])}, (64, 64))
    path = save(model, tmp_path / "tf_efficientdet_d0.onnx")
    assert importer_for(path) is ONNX_EFFICIENTDET
    bundle = ONNX_EFFICIENTDET.convert(path, tmp_path / "b", WISHES)
    assert bundle.input is not None
    assert bundle.input.normalisation.mean == (0.485, 0.456, 0.406)
    assert found(bundle, 128, 64) == [("a", 0.7, (32, 16, 64, 48))]


def test_rows_of_six_alone_are_not_taken_for_an_efficientdet(tmp_path: Path) -> None:
    path = save(fixed_outputs({"output": rows([16, 8, 32, 24, 0.7, 1])}), tmp_path / "best.onnx")
    assert not ONNX_EFFICIENTDET.accepts(path)
    assert ONNX_EFFICIENTDET.convert(path, tmp_path / "b", WISHES).decoder is not None  # --kind says what it is


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = save(fixed_outputs({"output": rows([1, 2, 3, 4, 5])}), tmp_path / "efficientdet.onnx")
    assert not ONNX_EFFICIENTDET.accepts(path)
    with pytest.raises(BundleError, match="none of the forms of EfficientDet"):
        ONNX_EFFICIENTDET.convert(path, tmp_path / "b", WISHES)
    path = save(fixed_outputs({"output": rows([1, 2, 3, 4, 5, 6])}, (64, 32)), tmp_path / "efficientdet.onnx")
    with pytest.raises(BundleError, match="square images"):
        ONNX_EFFICIENTDET.convert(path, tmp_path / "b", WISHES)
    with pytest.raises(BundleError, match="labels are called"):
        ONNX_EFFICIENTDET.convert(path, tmp_path / "b", Wishes())
