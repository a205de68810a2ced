"""EasyOCR with weights that the test writes: the same answers as from EasyOCR's own reader."""

import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from limner.core.errors import BundleError, ModelError, UnsafeCheckpointError
from limner.models.bundle import Bundle
from limner.models.importers.protocol import Wishes
from limner.models.importers.text_programs import EASYOCR as IMPORTER
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.easyocr import EASYOCR
from limner.models.runtimes.easyocr_files import md5_of
from limner.operations.models import drawn_picture


@pytest.fixture(scope="module")
def easyocr() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import easyocr
    return easyocr


def page() -> np.ndarray:
    return np.ascontiguousarray(drawn_picture()[60:300:3, 40:560:3])


@pytest.fixture(scope="module")
def folder(easyocr: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EasyOCR's folder, with a detector and a recogniser for Latin letters that were never trained."""
    from easyocr.config import recognition_models
    from easyocr.craft import CRAFT
    from easyocr.model.vgg_model import Model

    made = tmp_path_factory.mktemp("easyocr") / "model"
    made.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(8)
        detector = CRAFT().eval()
        _make_certain(detector)
        letters = len(recognition_models["gen2"]["latin_g2"]["characters"]) + 1
        recogniser = Model(input_channel=1, output_channel=256, hidden_size=256, num_class=letters)
        for each in recogniser.Prediction.parameters():
            torch.nn.init.normal_(each, 0, 2)
    for network, name in ((detector, "craft_mlt_25k.pth"), (recogniser, "latin_g2.pth")):
        torch.save({f"module.{key}": each for key, each in network.state_dict().items()}, made / name)
    return made


def _make_certain(detector: torch.nn.Module) -> None:
    """Let the score of text vary over the page, above EasyOCR's thresholds at some places; nothing is linked."""
    from easyocr.imgproc import normalizeMeanVariance, resize_aspect_ratio

    image = resize_aspect_ratio(page(), 2560, 1, 1.0)[0]
    given = torch.from_numpy(normalizeMeanVariance(image).transpose(2, 0, 1)[None].copy())
    last = detector.conv_cls[-1]
    with torch.no_grad():
        scores = detector(given)[0][0, :, :, 0]
        spread = float(scores.std())
        last.weight[0] /= spread * 2
        last.bias[0] = (last.bias[0] - float(scores.mean())) / (spread * 2) + 0.4
        last.weight[1] = 0
        last.bias[1] = 0


@pytest.fixture
def bundle(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(folder.parent))
    made = IMPORTER.convert(Path("easyocr/fr+en"), tmp_path / "bundle", Wishes())
    return with_own(made, folder)


def with_own(bundle: Bundle, folder: Path) -> Bundle:
    own = {path.name: md5_of(path) for path in folder.glob("*.pth")}
    return bundle.changed(parameters={**bundle.parameters, "md5": own})


def test_the_same_answers_as_easyocrs_own_reader(
    easyocr: Any, folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from easyocr.config import detection_models, recognition_models

    for entry in (detection_models["craft"], recognition_models["gen2"]["latin_g2"]):
        monkeypatch.setitem(entry, "md5sum", md5_of(folder / entry["filename"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = easyocr.Reader(
            ["fr", "en"], gpu=False, model_storage_directory=str(folder), download_enabled=False, verbose=False,
            quantize=False,
        )  # fmt: skip
        # As its `readtext` does with a file: RGB for the detector, grey for the recogniser.
        boxes, free = own.detect(page(), reformat=False)
        grey = cv2.cvtColor(page(), cv2.COLOR_RGB2GRAY)
        wanted = own.recognize(grey, boxes[0], free[0], reformat=False)
    assert len(wanted) >= 2
    predictor = EASYOCR.load(bundle, RuntimeOptions(threads=1))
    height, width = page().shape[:2]
    found = predictor.predict(page(), (width, height), Options(threshold=0))
    texts = sorted(text.strip() for _, text, _ in wanted if text.strip())
    assert texts
    assert sorted(each.text for each in found) == texts
    scores = sorted(float(score) for _, text, score in wanted if text.strip())
    assert sorted(each.score for each in found) == pytest.approx(scores, abs=1e-4)
    origin = found[0].provenance
    assert len(origin.weights) == 64
    assert origin.parameters["languages"] == ["fr", "en"]


def test_a_pickle_that_would_run_something_is_refused(folder: Path, tmp_path: Path, bundle: Bundle) -> None:
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/executed",)

    path = folder / "latin_g2.pth"
    good = path.read_bytes()
    try:
        path.write_bytes(pickle.dumps({"module.x": Hostile()}))
        with pytest.raises(UnsafeCheckpointError, match=r"posix\.system"):
            EASYOCR.load(with_own(bundle, folder), RuntimeOptions())
    finally:
        path.write_bytes(good)
    assert not (tmp_path / "executed").exists()


def test_weights_that_are_not_there(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(tmp_path / "empty"))
    with pytest.raises(ModelError, match=r"craft_mlt_25k\.pth"):
        EASYOCR.load(bundle, RuntimeOptions())


@pytest.mark.parametrize(
    ("languages", "message"), [(["tlh"], "tlh"), (["ru", "fr"], "compatible with English"), (["../x"], "parameters")]
)
def test_languages_that_do_not_go_together(bundle: Bundle, languages: list[str], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        EASYOCR.load(bundle.changed(parameters={"languages": languages}), RuntimeOptions())


def test_a_model_is_named_by_its_languages(tmp_path: Path) -> None:
    made = IMPORTER.convert(Path("easyocr"), tmp_path / "a", Wishes())
    assert (made.name, made.parameters) == ("easyocr-fr-en", {"languages": ["fr", "en"]})
    assert IMPORTER.convert(Path("easyocr/ru"), tmp_path / "b", Wishes()).name == "easyocr-ru"
