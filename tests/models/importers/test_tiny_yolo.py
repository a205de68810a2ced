"""Tiny YOLO from darknet and Keras: drawn weights, compared with the network in torch."""

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional

from limner.core.errors import BundleError
from limner.models.architectures.tiny_yolo import TinyYolo
from limner.models.importers.protocol import Wishes, importer_for
from limner.models.importers.tiny_yolo import TINY_YOLO, VOC
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX, answers

PARAMETERS = 45_089_374
WIDTHS = (2, 2, 3, 3, 4, 4, 5, 5, 6)
SMALL = ((3, 2), (2, 2), (2, 3), (3, 3), (3, 4), (4, 4), (4, 5), (5, 5), (5, 6))
WISHES = Wishes(labels=("a", "b", "c"))


def image() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (1, 3, 448, 448)).astype(np.float32)


@pytest.fixture(scope="module")
def darknet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A whole Tiny YOLO for 20 labels, as darknet writes it."""
    path = tmp_path_factory.mktemp("darknet") / "yolo-tiny.weights"
    network = TinyYolo(1470)
    assert sum(each.numel() for each in network.parameters()) == PARAMETERS
    with path.open("wb") as file:
        np.array([0, 1, 0, 64], "<i4").tofile(file)
        for layer in [*network.convolutions(), *network.dense()]:
            for values in (layer.bias, layer.weight):
                values.detach().numpy().astype("<f4").tofile(file)
    torch.save(network.state_dict(), path.with_suffix(".pt"))
    yield path
    path.unlink()


def test_a_whole_network_of_darknet_answers_as_in_torch(darknet: Path, tmp_path: Path) -> None:
    assert darknet.stat().st_size == 16 + 4 * PARAMETERS
    assert importer_for(darknet) is TINY_YOLO
    bundle = TINY_YOLO.convert(darknet, tmp_path / "bundle", Wishes(name="voc"))
    assert bundle.labels == VOC
    network = TinyYolo(1470)
    network.load_state_dict(torch.load(darknet.with_suffix(".pt"), weights_only=True))
    with torch.no_grad():
        wanted = network.eval()(torch.from_numpy(image())).numpy()
    (found,) = answers(bundle.weights_path, {"images": image()})
    assert found.shape == (1, 1470)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_files_that_hold_dense_weights_by_input_are_turned(tmp_path: Path) -> None:
    """Told by a version above 1000. Read only: no network is needed for that."""
    from limner.models.importers.tiny_yolo_files import read_darknet

    outputs = 49 * 11
    path = tmp_path / "one.weights"
    fixed = PARAMETERS - 1470 * 4097
    numbers = np.zeros(fixed + outputs * 4097, "<f4")
    numbers[-outputs * 4096 :] = np.arange(outputs * 4096) % 1000
    for version, begin in (([0, 1001], 4), ([0, 2], 5)):
        with path.open("wb") as file:
            np.array([*version, 0, 0, 0][:begin], "<i4").tofile(file)
            numbers.tofile(file)
        last = read_darknet(path).layers[-1].weights
        assert last.shape == (outputs, 4096)
        assert last[0, 1] == (outputs % 1000 if version[1] > 1000 else 1)
        assert last[1, 0] == (1 if version[1] > 1000 else 4096 % 1000)


def arrays() -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of each layer of a small network, in the order of axes of Keras 2."""
    random = np.random.default_rng(3)
    shapes = [(3, 3, cin, cout) for cin, cout in SMALL] + [(49 * 6, 7), (7, 9), (9, 49 * 13)]
    return [
        (random.normal(0, 0.3, shape).astype(np.float32), random.normal(0, 0.1, shape[-1]).astype(np.float32))
        for shape in shapes
    ]


def keras_answer(layers: list[tuple[np.ndarray, np.ndarray]], *, planes: bool) -> np.ndarray:
    """What Keras computes: spelled out on its own arrays, flattened in its own order."""
    at = torch.from_numpy(image())
    for index, (kernel, bias) in enumerate(layers[:9]):
        weights = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        at = functional.leaky_relu(functional.conv2d(at, weights, torch.from_numpy(bias), padding=1), 0.1)
        at = functional.max_pool2d(at, 2) if index < 6 else at
    at = (at if planes else at.permute(0, 2, 3, 1)).flatten(1)
    for index, (kernel, bias) in enumerate(layers[9:]):
        at = at @ torch.from_numpy(kernel) + torch.from_numpy(bias)
        at = functional.leaky_relu(at, 0.1) if index == 1 else at
    return at.numpy()


def write_keras(path: Path, layers: list[tuple[np.ndarray, np.ndarray]], inner: str = "", **attributes: str) -> Path:
    with h5py.File(path, "w") as file:
        for name, value in attributes.items():
            file.attrs[name] = value
        root = file.create_group(inner) if inner else file
        names = [f"layer_{at}" for at in range(len(layers))]
        root.attrs["layer_names"] = [name.encode() for name in [*names, "flatten"]]
        root.create_group("flatten").attrs["weight_names"] = np.array([], "S1")
        for name, (kernel, bias) in zip(names, layers, strict=True):
            group = root.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group[f"{name}/kernel:0"], group[f"{name}/bias:0"] = kernel, bias
    return path


def imported(path: Path, folder: Path) -> np.ndarray:
    assert importer_for(path) is TINY_YOLO
    bundle = TINY_YOLO.convert(path, folder, WISHES)
    assert bundle.input is not None
    return answers(bundle.weights_path, {"images": image()})[0]


def test_weights_of_keras_with_channels_last(tmp_path: Path) -> None:
    found = imported(write_keras(tmp_path / "w.hdf5", arrays()), tmp_path / "b")
    np.testing.assert_allclose(found, keras_answer(arrays(), planes=False), rtol=1e-3, atol=1e-5)


def test_a_model_of_keras_says_its_order_of_axes(tmp_path: Path) -> None:
    config = json.dumps({"config": {"layers": [{"config": {"data_format": "channels_first"}}]}})
    path = write_keras(tmp_path / "m.h5", arrays(), "model_weights", model_config=config, backend="tensorflow")
    np.testing.assert_allclose(
        imported(path, tmp_path / "b"), keras_answer(arrays(), planes=True), rtol=1e-3, atol=1e-5
    )


def test_kernels_of_theano_are_turned(tmp_path: Path) -> None:
    old = [
        (kernel.transpose(3, 2, 0, 1)[:, :, ::-1, ::-1] if kernel.ndim == 4 else kernel, bias)
        for kernel, bias in arrays()
    ]
    path = write_keras(tmp_path / "m.h5", old, backend="theano", keras_version="1.2.2")
    np.testing.assert_allclose(
        imported(path, tmp_path / "b"), keras_answer(arrays(), planes=True), rtol=1e-3, atol=1e-5
    )


def test_the_bundle_predicts(tmp_path: Path) -> None:
    layers = arrays()
    kernel, bias = layers[-1]
    bias = np.zeros_like(bias)
    cell = 2 * 7 + 4  # row 2, column 4
    bias[cell * 3 + 1], bias[147 + cell * 2], bias[147 + 98 + cell * 8 :][:4] = 1, 0.9, [0.5, 0.5, 0.5, 0.5]
    layers[-1] = (np.zeros_like(kernel), bias)
    bundle = TINY_YOLO.convert(write_keras(tmp_path / "w.hdf5", layers), tmp_path / "b", WISHES)
    predictor = ONNX.load(bundle, RuntimeOptions(threads=1))
    (found,) = predictor.predict(np.zeros((100, 700, 3), np.uint8), (700, 100), Options())
    assert (found.label, found.score) == ("b", pytest.approx(0.9, abs=1e-4))
    assert found.shape.bounds.corners == pytest.approx(
        (450 - 87.5, 250 / 7 - 12.5, 450 + 87.5, 250 / 7 + 12.5), abs=0.1
    )


def test_the_number_of_labels_has_to_fit(tmp_path: Path) -> None:
    path = write_keras(tmp_path / "w.hdf5", arrays())
    with pytest.raises(BundleError, match="what its 3 labels are called"):
        TINY_YOLO.convert(path, tmp_path / "b", Wishes())
    with pytest.raises(BundleError, match="knows 3 labels, and 1 were given"):
        TINY_YOLO.convert(path, tmp_path / "b", Wishes(labels=("a",)))


def test_another_network_of_keras_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="8 convolutions and 3 dense"):
        TINY_YOLO.convert(write_keras(tmp_path / "w.h5", arrays()[1:]), tmp_path / "b", WISHES)
    strange = arrays()
    strange[4] = (np.zeros((3, 3, 3, 7), np.float32), np.zeros(7, np.float32))
    with pytest.raises(BundleError, match="A layer has weights of"):
        TINY_YOLO.convert(write_keras(tmp_path / "x.h5", strange), tmp_path / "b", WISHES)


def test_hostile_files_of_hdf5_are_refused(tmp_path: Path) -> None:
    secret = write_keras(tmp_path / "other.h5", arrays())
    path = tmp_path / "w.h5"
    for put, message in (
        (lambda g: g.__setitem__("k", h5py.ExternalLink(str(secret), "layer_0/layer_0/kernel:0")), "only a link"),
        (lambda g: g.__setitem__("k", h5py.SoftLink("/nowhere")), "only a link"),
        (lambda g: g.create_dataset("k", (4,), "f4", external=[(str(secret), 0, 16)]), "in another file"),
        (lambda g: g.create_dataset("k", (1 << 40,), "f4", chunks=(1024,)), "announces 1099511627776 numbers"),
        (lambda g: g.create_dataset("k", data=[b"x"]), "holds no numbers"),
    ):
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = [b"a"]
            group = file.create_group("a")
            group.attrs["weight_names"] = [b"k"]
            put(group)
        with pytest.raises(BundleError, match=message):
            TINY_YOLO.convert(path, tmp_path / "b", WISHES)


@pytest.mark.parametrize("cut", [9, 100, 2000])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = write_keras(tmp_path / "w.h5", arrays())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BundleError, match=r"w\.h5"):
        TINY_YOLO.convert(path, tmp_path / "b", WISHES)


def test_other_weights_of_darknet_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "yolov3.weights"
    path.write_bytes(bytes(4000))
    assert not TINY_YOLO.accepts(path)
    with pytest.raises(BundleError, match="no Tiny YOLO of version 1"):
        TINY_YOLO.convert(path, tmp_path / "b", WISHES)
    path.write_bytes(b"short")
    with pytest.raises(BundleError, match="too short"):
        TINY_YOLO.convert(path, tmp_path / "b", WISHES)
