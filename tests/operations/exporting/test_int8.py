"""Networks of 8 bits: written, loaded, compared with what they were made from."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper

from limner.core.errors import DecodeError, UsageError
from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.models.importers.protocol import Wishes
from limner.models.protocol import RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from limner.models.store import ModelStore
from limner.models.tasks.specs import Boxes, Input, Letterbox, Thresholds
from limner.operations.accuracy.agreement import agreement
from limner.operations.exporting.int8 import calibration_images, quantise
from limner.operations.models import add_model
from tests.models.networks import bundle_of, constant, network

SIDE = 64
CELLS = 8


def convolution_bundle(folder: Path) -> Bundle:
    """A detector with real convolutions: each of 8 × 8 cells is a thing where its mean is bright.

    The mean is taken by a convolution of 8 × 8, after one that mixes the colours.
    """
    step = SIDE // CELLS
    edges = np.stack(np.meshgrid(np.arange(CELLS), np.arange(CELLS)), -1).reshape(-1, 2) * step
    boxes = np.concatenate([edges, edges + step], 1).astype(np.float32)[None]
    weights = {
        "mix": np.full((4, 3, 1, 1), 1 / 3, np.float32) * np.array([1, 0.5, 2, 0.25], np.float32)[:, None, None, None],
        "mean": np.full((1, 4, step, step), 1 / (4 * step * step), np.float32)
        / np.array([1, 0.5, 2, 0.25], np.float32)[None, :, None, None],
    }
    nodes = [
        helper.make_node("Conv", ["images", "mix"], ["mixed"], kernel_shape=[1, 1]),
        helper.make_node("Conv", ["mixed", "mean"], ["cells"], kernel_shape=[step, step], strides=[step, step]),
        constant("rows", np.array([1, CELLS * CELLS, 1], np.int64)),
        helper.make_node("Reshape", ["cells", "rows"], ["scores"]),
        constant("zero", np.array(0, np.float32)),
        constant("all", boxes),
        helper.make_node("Mul", ["scores", "zero"], ["nothing"]),
        helper.make_node("Add", ["all", "nothing"], ["boxes"]),
    ]
    count = CELLS * CELLS
    model = network(
        nodes,
        {"images": [1, 3, SIDE, SIDE]},
        {"boxes": [1, count, 4], "scores": [1, count, 1]},
        initializers=weights,
    )
    made = bundle_of(
        model,
        folder,
        labels=("bright",),
        input=Input(resize=Letterbox(width=SIDE, height=SIDE)),
        decoder=Boxes(outputs=("boxes", "scores")),
        thresholds=Thresholds(score=0.5),
        figures={"mAP50": 0.9},
    )
    return read_bundle(made)


def pages(folder: Path, count: int = 6) -> Path:
    """Images whose cells are bright or dark, none in between."""
    random = np.random.default_rng(5)
    folder.mkdir(exist_ok=True)
    for at in range(count):
        cells = random.choice([10, 30, 200, 240], (CELLS, CELLS)).astype(np.uint8)
        image = np.repeat(np.repeat(cells, SIDE // CELLS, 0), SIDE // CELLS, 1)
        cv2.imwrite(str(folder / f"{at}.png"), image)
    return folder


def test_a_network_of_8_bits_agrees_and_is_served(tmp_path: Path) -> None:
    bundle = convolution_bundle(tmp_path / "cells")
    settings = Settings(data=tmp_path / "data")
    images = calibration_images(pages(tmp_path / "pages"))
    made = quantise(bundle, images, tmp_path / "out", settings)
    assert (made.ref, made.figures) == ("cells@1-int8", {})
    assert "calibrated on 6 pages" in made.provenance.source
    kinds = {node.op_type for node in onnx.load(made.weights_path).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    assert made.sha256 != bundle.sha256
    store = ModelStore(settings.models_dir)
    store.add(bundle)
    added = add_model(store, tmp_path / "out", Wishes(), threads=1)
    assert added.bundle.ref == "cells@1-int8"
    # A name alone still means the network that was there.
    assert store.get("cells").version == "1"
    options = RuntimeOptions(threads=1)
    found = agreement(ONNX.load(bundle, options), ONNX.load(added.bundle, options), images, settings)
    assert found.pages == 6
    assert found.ratios.things > 100
    assert found.ratios.f1 == 1
    assert found.to_plain()["mean_iou"] == pytest.approx(1)


def test_models_that_differ_do_not_agree(tmp_path: Path) -> None:
    bundle = convolution_bundle(tmp_path / "cells")
    strict = bundle.changed(thresholds=Thresholds(score=0.9))
    options = RuntimeOptions(threads=1)
    images = calibration_images(pages(tmp_path / "pages", 2))
    found = agreement(ONNX.load(strict, options), ONNX.load(bundle, options), images, Settings(data=tmp_path))
    # The threshold is that of the first: cells of 200 are 0.78, those of 240 are 0.94.
    assert found.ratios.f1 == 1
    dark = bundle.changed(decoder=Boxes(outputs=("scores", "boxes")[::-1], form="xywh"))
    other = agreement(ONNX.load(bundle, options), ONNX.load(dark, options), images, Settings(data=tmp_path))
    assert other.ratios.recall is not None
    assert other.ratios.recall < 0.5


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        calibration_images(tmp_path / "x")
    with pytest.raises(UsageError, match="holds no images"):
        calibration_images(tmp_path)


def test_many_pages_are_thinned_out(tmp_path: Path) -> None:
    for at in range(700):
        (tmp_path / f"{at:03}.png").touch()
    found = calibration_images(tmp_path)
    assert (len(found), found[0].name, found[-1].name) == (300, "000.png", "598.png")


def test_a_broken_page_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    folder = pages(tmp_path / "pages", 1)
    (folder / "1.png").write_bytes(b"no image")
    with pytest.raises(DecodeError, match=r"1\.png"):
        quantise(
            convolution_bundle(tmp_path / "cells"),
            calibration_images(folder),
            tmp_path / "out",
            Settings(data=tmp_path),
        )
    assert not (tmp_path / "out").exists()
