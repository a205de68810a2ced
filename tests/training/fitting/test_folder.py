from pathlib import Path

import pytest
import torch

from limner.core.errors import CheckpointError
from limner.training.fitting.checkpoints import load_checkpoint, save_checkpoint
from limner.training.fitting.folder import MetricsLog, RunFolder, read_metrics


def test_figures_are_read_while_they_are_written(tmp_path: Path) -> None:
    path = RunFolder(tmp_path).metrics
    assert list(read_metrics(path)) == []
    log = MetricsLog(path)
    for batch in (1, 2, 3):
        log.add({"batch": batch, "loss": 0.5})
    with path.open("ab") as file:
        file.write(b'{"batch": 4, "lo')
    assert [line["batch"] for line in read_metrics(path)] == [1, 2, 3]
    log.cut(2)
    assert [line["batch"] for line in read_metrics(path)] == [1, 2]
    with pytest.raises(ValueError, match="JSON"):
        log.add({"loss": float("nan")})


def test_checkpoints_hold_what_they_were_given(tmp_path: Path) -> None:
    path = RunFolder(tmp_path).checkpoint
    assert load_checkpoint(path) is None
    save_checkpoint(path, {"weights": {"a": torch.arange(3)}, "progress": {"batch": 3}})
    found = load_checkpoint(path)
    assert found is not None
    assert found["weights"]["a"].tolist() == [0, 1, 2]
    assert found["progress"] == {"batch": 3}
    assert [each.name for each in path.parent.iterdir()] == ["last.ckpt"]


def test_a_damaged_or_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    path = RunFolder(tmp_path).checkpoint
    save_checkpoint(path, {"a": torch.zeros(4)})
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)
    torch.save({"a": Path("x")}, path)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)
