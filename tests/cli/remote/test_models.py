"""``limner --server URL models``."""

import json
import zipfile
from pathlib import Path

from tests.cli.conftest import Run
from tests.models.networks import bright_boxes_bundle


def test_models_of_the_server_are_listed_and_shown(remote: Run) -> None:
    assert "bright@1" in remote("models", "list").stdout
    assert "[default]" in remote("models", "list").stdout
    assert {"bright@1", "text@1"} <= {model["ref"] for model in json.loads(remote("models", "list", "--json").stdout)}
    assert "bright" in remote("models", "show", "default").stdout
    assert json.loads(remote("models", "show", "text", "--json").stdout)["ref"] == "text@1"
    assert "loaded in" in remote("models", "test", "bright").stdout
    assert "nowhere" in remote("models", "show", "nowhere", code=1).stderr


def test_a_model_is_sent_named_and_removed(remote: Run, tmp_path: Path) -> None:
    bundle = bright_boxes_bundle(tmp_path / "bundle")
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for path in bundle.rglob("*"):
            archive.write(path, path.relative_to(bundle))
    assert "mine@3" in remote("models", "add", "mine.zip", "--as", "mine", "--version", "3").stdout
    assert remote("models", "alias", "ours", "mine").stdout.strip() == "ours stands for mine@3."
    assert "forgotten" in remote("models", "alias", "ours").stdout
    assert "Removed mine" in remote("models", "remove", "mine").stdout
    assert "zip" in remote("models", "add", bundle, code=2).stderr
    again = ("models", "add", "mine.zip", "--as", "again")
    assert "again@1" in remote(*again).stdout
    assert "already" in remote(*again, code=1).stderr
    assert "again@1" in remote(*again, "--replace").stdout
    assert "nonsense" in remote(*again, "--kind", "nonsense", code=2).stderr
    assert "--image" in remote("models", "test", "bright", "--image", "x.png", code=2).stderr
