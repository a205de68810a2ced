import json
from pathlib import Path

import pytest
from PIL import Image

from limner.training.config import render_config
from limner.training.fitting.folder import RunFolder
from limner.training.preview import main
from limner.training.process import RunJob
from tests.training.fitting.squares import config, squares


def _run(folder: Path, **changes: object) -> RunFolder:
    squares(folder / "datasets", train=3, val=1)
    run = RunFolder(folder / "run")
    run.path.mkdir()
    RunJob(str(folder / "datasets")).write(run)
    run.config.write_text(render_config(config(**changes)), encoding="utf-8")
    return run


def test_the_sheet_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _run(tmp_path, augment="strong")
    monkeypatch.setattr("sys.argv", ["preview", str(run.path), str(tmp_path / "sheet.png")])
    assert main() == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height > 900  # three pages, one below the other


def test_an_unknown_augmentation_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _run(tmp_path, augment="pages")
    monkeypatch.setattr("sys.argv", ["preview", str(run.path), str(tmp_path / "sheet.png")])
    assert main() == 1
    assert "pages" in json.loads(capsys.readouterr().out)["message"]
