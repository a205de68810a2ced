from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limner.core.errors import BundleError, CheckpointError
from limner.models.architectures.res_unet import ResUNet
from limner.models.importers.docextractor import DOCEXTRACTOR
from limner.models.importers.protocol import IMPORTERS, Wishes, importer_for
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX, answers
from limner.models.tasks.letterbox import Buffers, plan_input, prepare
from limner.models.tasks.specs import PerImage, TotalPixels
from tests.models.importers.checkpoints import saved
from tests.models.parity import expected, parity_folder, parity_pixels


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Those of a network with three classes, by the names that training on several machines gives."""
    torch.manual_seed(1)
    return {f"module.{key}": each for key, each in ResUNet("res_unet18", 3).half().state_dict().items()}


def checkpoint(path: Path, weights: dict[str, torch.Tensor], **changes) -> Path:
    content = {
        "epoch": 1,
        "model_name": "res_unet18",
        "model_kwargs": {"pretrained_encoder": True, "norm_layer": {"name": "batch_norm", "momentum": 0.1}},
        "model_state": weights,
        "n_classes": 3,
        "train_resolution": 4096,
        "restricted_labels": [4, 1],
        "normalize": True,
    }
    return saved({key: each for key, each in (content | changes).items() if each is not None}, path)


def test_a_checkpoint_becomes_a_bundle(tmp_path: Path, weights, monkeypatch):
    monkeypatch.setattr(IMPORTERS, "_added", {**IMPORTERS._added, "docextractor": DOCEXTRACTOR})
    path = checkpoint(tmp_path / "model.pkl", weights)
    assert importer_for(path) is DOCEXTRACTOR
    bundle = DOCEXTRACTOR.convert(path, tmp_path / "bundle", Wishes(name="extractor"))
    assert (bundle.ref, bundle.task, bundle.labels) == ("extractor@1", "segment", ("illustration", "text"))
    assert bundle.input.resize == TotalPixels(pixels=4096)
    assert bundle.input.normalisation == PerImage(sums="float32")
    assert bundle.decoder.minimum_areas == {"illustration": 0.005, "text": 0.0001}
    pixels = np.random.default_rng(1).integers(0, 256, (50, 40, 3), np.uint8)
    assert ONNX.load(bundle, RuntimeOptions()).predict(pixels, (40, 50), Options()) is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_name": "unet"}, "network unet is not known"),
        ({"model_name": "res_unet34"}, "does not fit docExtractor's res_unet34: it has no layer"),
        ({"model_kwargs": {"norm_layer": {"name": "group_norm"}}}, "otherwise than by batch_norm"),
        ({"model_kwargs": {"norm_layer": {"track_running_stats": False}}}, "statistics of each batch"),
        ({"model_kwargs": {"use_deconv": True}}, "use_deconv=True"),
        ({"model_kwargs": {"same_up_channels": True}}, "another shape"),
        ({"n_classes": "many"}, "how many classes"),
        ({"n_classes": 4}, "has 3 labels, and 2 were given"),
        ({"train_resolution": "large"}, "training resolution of large"),
        ({"train_resolution": (10**9, 5)}, "cannot be described"),
        ({"model_state": [1]}, "no table of weights"),
    ],
)
def test_what_cannot_be_rebuilt_is_said(tmp_path: Path, weights, changes, message):
    path = checkpoint(tmp_path / "model.pkl", weights, **changes)
    assert DOCEXTRACTOR.accepts(path)
    with pytest.raises(BundleError, match=message):
        DOCEXTRACTOR.convert(path, tmp_path / "bundle", Wishes())


def test_other_files_are_not_accepted(tmp_path: Path):
    assert not DOCEXTRACTOR.accepts(saved({"model_state": {}}, tmp_path / "other.pkl"))
    assert not DOCEXTRACTOR.accepts(tmp_path / "missing.pkl")
    (tmp_path / "broken.pkl").write_bytes(b"PK\x03\x04")
    assert not DOCEXTRACTOR.accepts(tmp_path / "broken.pkl")
    with pytest.raises(CheckpointError, match="no checkpoint of docExtractor"):
        DOCEXTRACTOR.convert(tmp_path / "other.pkl", tmp_path / "bundle", Wishes())


def test_the_same_answers_as_docextractor(tmp_path: Path):
    """Every pixel of the class map, and every box."""
    folder = parity_folder() / "docextractor"
    bundle = DOCEXTRACTOR.convert(folder / "model.pkl", tmp_path, Wishes())
    predictor = ONNX.load(bundle, RuntimeOptions())
    for image in expected("docextractor")["images"]:
        pixels = parity_pixels(image["image"])
        size = (pixels.shape[1], pixels.shape[0])
        plan = plan_input(bundle.input, size)
        assert list(plan.canvas) == image["network_size"]
        logits = answers(bundle.weights_path, {"images": prepare(pixels, bundle.input, plan, Buffers())})[0][0]
        with Image.open(folder / f"labels_{Path(image['image']).stem}.png") as labels:
            assert (logits.argmax(axis=0) * 100 == np.asarray(labels)).mean() >= 0.995
        found = predictor.predict(pixels, size, Options())
        bounds = [(each.label, each.shape.bounds) for each in found]
        ours = sorted((label, box.x, box.y, box.width, box.height) for label, box in bounds)
        assert ours == sorted((each["label"], *map(float, each["box"])) for each in image["instances"])
