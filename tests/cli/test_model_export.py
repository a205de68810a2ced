"""``limner models export`` and ``limner models test --against``."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.models.networks import bright_boxes_bundle
from tests.operations.accuracy.test_labelled import dataset
from tests.operations.exporting.test_int8 import convolution_bundle, pages


def test_a_bundle_comes_out_and_goes_in_again(limner: Run, tmp_path: Path) -> None:
    limner("models", "add", bright_boxes_bundle(tmp_path / "bundle", side=64), "--as", "bright")
    assert "bright-1-onnx" in limner("models", "export", "bright", "--onnx").stdout
    limner("models", "add", tmp_path / "bright-1-onnx", "--version", "2")
    assert "not empty" in limner("models", "export", "bright@1", "--onnx", code=2).stderr


def test_int8_prints_accuracy_before_and_after(limner: Run, tmp_path: Path) -> None:
    limner("models", "add", convolution_bundle(tmp_path / "cells").folder)
    folder = pages(tmp_path / "pages")
    labelme = {
        "imagePath": "0.png",
        "imageHeight": 64,
        "imageWidth": 64,
        "version": "5",
        "flags": {},
        "imageData": None,
    }
    shape = {"label": "bright", "shape_type": "rectangle", "points": [[0, 0], [8, 8]], "group_id": None, "flags": {}}
    (folder / "0.json").write_text(json.dumps({**labelme, "shapes": [shape]}))
    done = limner("models", "export", "cells", "--int8", "--calibration", folder, "--against", folder, "-o", "small")
    assert "cells@1-int8 is in small" in done.stdout
    assert "F1 1.000" in done.stdout
    assert "mAP50" in done.stdout
    assert "Only 6 calibration pages" in done.stderr
    limner("models", "add", "small")
    assert json.loads(limner("models", "show", "cells@1-int8", "--json").stdout)["version"] == "1-int8"


@pytest.mark.parametrize(
    "options", [[], ["--onnx", "--int8"], ["--int8"], ["--onnx", "--calibration", "."], ["--onnx", "--against", "."]]
)
def test_options_that_do_not_belong_together(limner: Run, options: list[str]) -> None:
    assert "Error" in limner("models", "export", "text", *options, code=2).stderr


def test_figures_as_a_table_and_as_json(limner: Run, tmp_path: Path) -> None:
    bundle = bright_boxes_bundle(tmp_path / "bundle", side=64)
    limner("models", "add", bundle, "--as", "seals", "--labels", "seal,red")
    data = dataset(tmp_path / "data-set", "coco")
    done = limner("models", "test", "seals", "--against", data)
    head, names, seal, every = done.stdout.splitlines()[:4]
    assert head == "seals@1 on 2 pages (coco), scores from 0.3, IoU from 0.5"
    assert names.split() == ["things", "finds", "precision", "recall", "F1", "AP50"]
    # The images are dark: nothing is found.
    assert seal.split() == ["seal", "2", "0", "–", "0.000", "0.000", "0.000"]
    assert every.split()[0] == "all"
    assert "no page has them: red" in done.stdout
    said = json.loads(limner("models", "test", "seals", "--against", data, "--json").stdout)
    assert (said["model"], said["all"]["things"], said["labels"][0]["ap50"]) == ("seals@1", 2, 0)
    assert "--against" in limner("models", "test", "seals", "--json", code=2).stderr


def test_a_card_says_where_a_model_comes_from(limner: Run, tmp_path: Path) -> None:
    limner("models", "add", bright_boxes_bundle(tmp_path / "bundle", side=64, figures={"mAP50": 0.5}), "--as", "seals")
    card = limner("models", "show", "seals").stdout
    for row in ("Labels           bright, red", "Figures          mAP50 0.5", "Licence          CC0-1.0", "SHA-256"):
        assert row in card
    assert "Trained on       not stated" in card
    said = json.loads(limner("models", "show", "seals", "--json").stdout)
    assert said["memory"] > 0
    assert said["size"] == said["weights"]["size"]
