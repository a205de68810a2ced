from __future__ import annotations

import importlib.util
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from limner.annotations.shapes import Box
from limner.core.errors import BundleError, ModelError
from limner.models.bundle_files import read_bundle, write_bundle
from limner.models.protocol import RUNTIMES, Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX, available_providers, choose_providers, open_session
from limner.models.tasks.specs import Input, Letterbox, Stretch, YoloV5
from tests.models.networks import bright_boxes_bundle, bundle_of, network, noop_bundle, yolov5_bundle

ALL = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "AzureExecutionProvider", "CPUExecutionProvider"]
CPU = ["CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("available", "asked", "has_tensorrt", "chosen"),
    [
        (["AzureExecutionProvider", *CPU], (), False, CPU),
        (ALL, (), True, ["TensorrtExecutionProvider", "CUDAExecutionProvider", *CPU]),
        (ALL, (), False, ["CUDAExecutionProvider", *CPU]),
        (ALL, ("CPUExecutionProvider",), True, CPU),
        (CPU, (), True, CPU),
    ],
)
def test_the_best_that_is_installed_executes(available, asked, has_tensorrt, chosen):
    assert choose_providers(available, asked, has_tensorrt=has_tensorrt) == chosen


def test_what_was_asked_for_and_is_not_there_is_an_error():
    with pytest.raises(ModelError, match="has no CUDAExecutionProvider here"):
        choose_providers(CPU, ("CUDAExecutionProvider",), has_tensorrt=False)


@pytest.mark.parametrize(
    ("providers", "packages", "loaded"),
    [
        (["CUDAExecutionProvider", "CPUExecutionProvider"], True, 1),
        (["CUDAExecutionProvider", "CPUExecutionProvider"], False, 0),  # CUDA is the machine's own
        (["CPUExecutionProvider"], True, 0),
    ],
)
def test_cuda_is_loaded_once_from_packages_that_are_installed(monkeypatch, providers, packages, loaded):
    import onnxruntime

    calls = []
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: calls.append(1))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if packages else None)
    available_providers.cache_clear()
    try:
        assert [available_providers(), available_providers()] == [tuple(providers)] * 2
        assert len(calls) == loaded
    finally:
        available_providers.cache_clear()


def test_it_is_registered_and_says_what_executes(tmp_path: Path):
    assert RUNTIMES.get("onnx") is ONNX
    predictor = ONNX.load(read_bundle(noop_bundle(tmp_path / "noop")), RuntimeOptions(providers=tuple(CPU)))
    assert predictor.providers == tuple(CPU)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_threads(tmp_path: Path, threads):
    session = open_session(read_bundle(noop_bundle(tmp_path / "noop")), RuntimeOptions(threads=threads))
    used = session._session.get_session_options().intra_op_num_threads
    assert used == threads if threads else used >= 1


def test_weights_are_checked_when_they_are_loaded(tmp_path: Path):
    bundle = read_bundle(noop_bundle(tmp_path / "noop"))
    content = bytearray(bundle.weights_path.read_bytes())
    content[-1] ^= 1
    bundle.weights_path.write_bytes(content)
    with pytest.raises(BundleError, match="SHA-256"):
        ONNX.load(bundle, RuntimeOptions())


def test_a_model_that_was_replaced_meanwhile(tmp_path: Path):
    old = read_bundle(noop_bundle(tmp_path / "b"))
    bright_boxes_bundle(tmp_path / "b")
    with pytest.raises(ModelError, match="was replaced"):
        ONNX.load(old, RuntimeOptions())


def test_a_network_that_cannot_be_built_is_a_model_error(tmp_path: Path):
    graph = helper.make_graph([helper.make_node("NoSuchOperator", ["images"], ["y"])], "g", [], [])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "model.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    bundle = read_bundle(noop_bundle(tmp_path / "noop")).changed(weights=None)
    written = write_bundle(bundle, tmp_path / "b")
    with pytest.raises(ModelError, match="The network of noop@1 cannot be loaded: "):
        ONNX.load(written, RuntimeOptions())


def test_inputs_that_the_bundle_does_not_name(tmp_path: Path):
    folder = noop_bundle(tmp_path / "noop", input=Input(name="pixels", resize=Stretch(width=32, height=32)))
    with pytest.raises(ModelError, match="takes images, and its bundle names pixels"):
        ONNX.load(read_bundle(folder), RuntimeOptions())


def test_a_size_that_the_network_does_not_take(tmp_path: Path):
    folder = noop_bundle(tmp_path / "noop", input=Input(resize=Letterbox(width=64, height=64)))
    predictor = ONNX.load(read_bundle(folder), RuntimeOptions())
    with pytest.raises(ModelError, match=r"The model noop@1 failed: .*Got invalid dimensions"):
        predictor.predict(np.zeros((10, 10, 3), np.uint8), (10, 10), Options())


def test_a_bundle_without_files(tmp_path: Path):
    bundle = read_bundle(noop_bundle(tmp_path / "noop")).changed(name="other")
    bundle._folder = None
    with pytest.raises(ModelError, match="no files"):
        ONNX.load(bundle, RuntimeOptions())


def test_the_size_of_the_input_is_given_to_those_who_ask(tmp_path: Path):
    # One box: as large as the size that comes in.
    nodes = [
        helper.make_node("Cast", ["sizes"], ["size"], to=1),
        helper.make_node("ReduceMin", ["images"], ["least"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["least", "least"], ["zero"]),
        helper.make_node("Unsqueeze", ["zero", "one"], ["zero2"]),
        helper.make_node("Concat", ["zero2", "zero2", "size"], ["box"], axis=1),
        helper.make_node("Concat", ["box", "score", "zero2"], ["row"], axis=1),
        helper.make_node("Unsqueeze", ["row", "first"], ["rows"]),
    ]
    constants = {"one": np.array([1]), "first": np.array([0]), "score": np.array([[0.9]], np.float32)}
    inputs = {"images": [1, 3, "h", "w"], "sizes": [1, 2]}
    model = network(nodes, inputs, {"rows": [1, 1, 6]}, initializers=constants, types={"sizes": 7})
    spec = Input(resize=Letterbox(width=64, height=64, anchor="corner"), size_input="sizes", dynamic=True)
    folder = bundle_of(model, tmp_path / "b", input=spec, decoder={"name": "rows"})
    predictor = ONNX.load(read_bundle(folder), RuntimeOptions())
    (found,) = predictor.predict(np.zeros((64, 128, 3), np.uint8), (128, 64), Options())
    assert found.shape.corners == (0, 0, 128, 64)


def test_many_threads_get_the_answers_to_their_own_images(tmp_path: Path):
    predictor = ONNX.load(read_bundle(bright_boxes_bundle(tmp_path / "b")), RuntimeOptions(threads=1))
    wrong: list[int] = []

    def work(at: int) -> None:
        for turn in range(6):
            side = 16 * (1 + (at + turn) % 8)
            image = np.zeros((256, 256, 3), np.uint8)
            image[:side, :side] = 255
            found = predictor.predict(image, (256, 256), Options())
            if [each.shape for each in found] != [Box(0, 0, side, side)]:
                wrong.append(at)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_was_closed_does_not_predict(tmp_path: Path):
    predictor = ONNX.load(read_bundle(yolov5_bundle(tmp_path / "b", [[32, 32, 8, 8, 1, 1, 0]])), RuntimeOptions())
    assert len(predictor.predict(np.zeros((64, 64, 3), np.uint8), (64, 64), Options())) == 1
    assert isinstance(predictor.bundle.decoder, YoloV5)
    predictor.close()
    predictor.close()
    with pytest.raises(ModelError, match="was closed"):
        predictor.predict(np.zeros((64, 64, 3), np.uint8), (64, 64), Options())


def test_arithmetic_of_the_calling_thread_is_left_alone(tmp_path: Path):
    predictor = ONNX.load(read_bundle(noop_bundle(tmp_path / "noop")), RuntimeOptions())
    predictor.predict(np.zeros((8, 8, 3), np.uint8), (8, 8), Options())
    assert np.float64(5e-324) * 1 > 0  # ONNX Runtime can be told to take such numbers for 0
