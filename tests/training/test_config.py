from pathlib import Path

import pytest

from limner.core.errors import UsageError
from limner.training.config import RunConfig, read_config, render_config


def test_a_run_is_asked_for_again_as_it_was(tmp_path: Path) -> None:
    config = RunConfig(dataset="nuts@2", architecture="maskrcnn", name="nuts", minutes=3.5, image_size=320)
    (path := tmp_path / "config.json").write_text(render_config(config))
    assert read_config(path) == config


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    (path := tmp_path / "config.json").write_text('{"dataset": "a", "architecture": "x", "name": "n", "epoch": 3}')
    with pytest.raises(UsageError, match="epoch: Extra"):
        read_config(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tmp_path / "none.json")
