from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import get_model, get_model_weights
from torchvision.transforms import functional

from limner.core.errors import BundleError, CheckpointError, ModelError
from limner.models.importers.exporting import sample_pixels
from limner.models.importers.protocol import IMPORTERS, Wishes, importer_for
from limner.models.importers.torchvision import TORCHVISION
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX, answers
from limner.models.tasks.letterbox import Buffers, plan_input, prepare
from limner.models.tasks.specs import PixelClasses, Stretch
from tests.models.importers.checkpoints import saved

LRASPP = "lraspp_mobilenet_v3_large"


def network(name: str, classes: int) -> torch.nn.Module:
    """One of torchvision's smaller networks, drawn at random."""
    torch.manual_seed(2)
    model = get_model(name, weights=None, weights_backbone=None, num_classes=classes).eval()
    with torch.no_grad():
        for each in model.modules():
            if isinstance(each, torch.nn.BatchNorm2d):
                each.running_var.uniform_(0.1, 0.5)
    return model


@pytest.fixture(scope="module")
def labeller() -> torch.nn.Module:
    return network(LRASPP, 21)


def test_pixel_classes_are_those_of_torchvision(labeller, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(IMPORTERS, "_added", {**IMPORTERS._added, "torchvision": TORCHVISION})
    # As several programs save it.
    weights = {f"module.{name}": each for name, each in labeller.state_dict().items()}
    path = saved({"epoch": 3, "model": weights}, tmp_path / "pages.pth")
    assert importer_for(path) is TORCHVISION
    bundle = TORCHVISION.convert(path, tmp_path / "bundle", Wishes())
    assert (bundle.ref, bundle.task, len(bundle.labels), bundle.labels[0]) == ("pages@1", "segment", 20, "aeroplane")
    assert bundle.decoder == PixelClasses(background=0)
    pixels = sample_pixels(100, 131)
    plan = plan_input(bundle.input, (100, 131))
    image = prepare(pixels, bundle.input, plan, Buffers())
    classes, scores = answers(bundle.weights_path, {"image": image})
    resized = functional.pil_to_tensor(functional.resize(Image.fromarray(pixels), 520)).float() / 255
    with torch.no_grad():
        given = functional.normalize(resized, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        wanted = labeller(given[None])["out"].softmax(1).max(1)
    assert (classes == wanted.indices.numpy()).mean() > 0.999
    assert np.abs(scores - wanted.values.numpy()).max() < 0.01
    found = ONNX.load(bundle, RuntimeOptions(threads=1)).predict(pixels, (100, 131), Options())
    assert all(0 < each.score <= 1 for each in found)


def test_a_detector_with_labels_of_its_own(tmp_path: Path):
    path = saved(network("ssdlite320_mobilenet_v3_large", 3).state_dict(), tmp_path / "best.pt")
    bundle = TORCHVISION.convert(path, tmp_path / "bundle", Wishes(name="figures", labels=("figure", "letter")))
    assert (bundle.ref, bundle.task, bundle.labels) == ("figures@1", "detect", ("figure", "letter"))
    assert bundle.input.resize == Stretch(width=320, height=320)
    assert ONNX.load(bundle, RuntimeOptions(threads=1)).predict(sample_pixels(80, 90), (80, 90), Options())


def test_by_name_the_weights_are_those_that_torch_has_downloaded(labeller, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / get_model_weights(LRASPP).DEFAULT.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    saved(labeller.state_dict(), file)
    assert TORCHVISION.accepts_name(LRASPP)
    bundle = TORCHVISION.convert(Path("torchvision") / LRASPP, tmp_path / "bundle", Wishes())
    assert bundle.name == "lraspp-mobilenet-v3-large"
    assert bundle.labels[-1] == "tvmonitor"
    assert bundle.provenance.source == f"torchvision/{LRASPP}"


def test_without_a_network_it_says_which_file_is_missing(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ModelError, match=r"maskrcnn_resnet50_fpn_coco-\w+\.pth of torchvision cannot be downloaded"):
        TORCHVISION.convert(Path("torchvision/maskrcnn_resnet50_fpn"), tmp_path / "bundle", Wishes())
    assert not list(tmp_path.rglob("*.pth"))


def test_unknown_names_and_weights_that_do_not_fit(labeller, tmp_path: Path):
    with pytest.raises(ModelError, match="torchvision/alexnet is not known here"):
        TORCHVISION.convert(Path("torchvision/alexnet"), tmp_path / "bundle", Wishes())
    weights = dict(labeller.state_dict())
    with pytest.raises(BundleError, match="has 20 labels, and 1 were given"):
        TORCHVISION.convert(saved(weights, tmp_path / "a.pth"), tmp_path / "bundle", Wishes(labels=("a",)))
    del weights["classifier.cbr.0.weight"]
    with pytest.raises(CheckpointError, match=r"do not fit lraspp_mobilenet_v3_large: .*classifier\.cbr\.0\.weight"):
        TORCHVISION.convert(saved(weights, tmp_path / "b.pth"), tmp_path / "bundle", Wishes())
    assert not TORCHVISION.accepts(saved({"conv.weight": torch.zeros(1)}, tmp_path / "c.pth"))
    assert not TORCHVISION.accepts(tmp_path / "missing.pth")
