"""``limner models``."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.models.networks import bright_boxes_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return bright_boxes_bundle(tmp_path / "bundle")


def test_the_built_in_models_are_there_at_once(limner: Run) -> None:
    names = {model["ref"] for model in json.loads(limner("models", "list", "--json").stdout)}
    assert {"text@1", "text-regions@1"} <= names


def test_a_bundle_is_added_shown_tried_and_removed(limner: Run, bundle: Path, tmp_path: Path) -> None:
    assert "bright@1" in limner("models", "add", bundle, "--as", "bright").stdout
    assert "bright@1" in limner("models", "list").stdout
    card = json.loads(limner("models", "show", "bright", "--json").stdout)
    assert card["ref"] == "bright@1"
    assert len(card["weights"]["sha256"]) == 64
    Image.new("RGB", (300, 200), "black").save(tmp_path / "dark.png")
    assert "weights as described" in limner("models", "test", "bright", "--image", tmp_path / "dark.png").stdout
    assert limner("models", "remove", "bright").stdout.strip() == "Removed bright@1."
    assert "bright" in limner("models", "show", "bright", code=1).stderr


def test_the_same_model_twice_needs_replace(limner: Run, bundle: Path) -> None:
    limner("models", "add", bundle, "--as", "bright")
    assert "already" in limner("models", "add", bundle, "--as", "bright", code=1).stderr
    limner("models", "add", bundle, "--as", "bright", "--replace")


def test_an_alias_stands_for_a_model_until_it_is_forgotten(limner: Run, bundle: Path) -> None:
    limner("models", "add", bundle, "--as", "bright", "--default")
    assert "[default]" in limner("models", "list").stdout
    limner("models", "alias", "mine", "bright")
    assert "bright@1" in limner("models", "show", "mine").stdout
    limner("models", "alias", "mine")
    assert "mine" in limner("models", "show", "mine", code=1).stderr


def test_damaged_weights_are_found(limner: Run, bundle: Path, tmp_path: Path) -> None:
    limner("models", "add", bundle, "--as", "bright")
    (weights,) = (tmp_path / "data" / "models" / "bright").rglob("model.onnx")
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert "not those" in limner("models", "test", "bright", code=1).stderr


def test_what_is_no_model_is_refused_by_name(limner: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no model")
    assert "notes.txt" in limner("models", "add", tmp_path / "notes.txt", code=1).stderr
    assert "nowhere" in limner("models", "add", tmp_path / "nowhere", code=2).stderr


def test_a_built_in_model_stays(limner: Run) -> None:
    assert "built in" in limner("models", "remove", "text", code=2).stderr
