from pathlib import Path

import pytest

from limner.core.errors import NotFoundError, UsageError
from limner.operations.runs.progress import (
    Log,
    RunProgress,
    error_of,
    metrics_of,
    progress_of,
    result_of,
    sample,
    sample_numbers,
)
from limner.training.fitting.folder import MetricsLog, RunFolder


def _loss(batch: int, progress: float = 0.1) -> dict[str, object]:
    return {
        "batch": batch,
        "progress": progress,
        "seconds": batch * 2.0,
        "kind": "loss",
        "loss": 1 / batch,
        "images_per_second": 8.0,
    }


def _figures(batch: int, ap50: float | None) -> dict[str, object]:
    return {"batch": batch, "progress": 0.5, "seconds": 9.0, "kind": "validation", "epoch": 1, "ap50": ap50}


def test_each_line_is_told_once_although_some_are_written_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert Log(path).read() == []
    written, log = MetricsLog(path), Log(path)
    for batch in (1, 2):
        written.add(_loss(batch))
    assert [line["batch"] for line in log.read()] == [1, 2]
    assert log.read() == []
    written.add(_figures(2, 0.5))
    assert [line["kind"] for line in log.read()] == ["validation"]
    written.add(_loss(3))
    assert len(log.read()) == 1
    written.cut(1)  # killed, and taken up again from a checkpoint
    for line in (_loss(2), _figures(2, 0.5), _loss(3), _figures(3, 0.6)):
        written.add(line)
    assert [(line["batch"], line["kind"]) for line in log.read()] == [(3, "validation")]
    assert len(metrics_of(RunFolder(tmp_path))) == 5
    later = Log(path, from_end=True)
    assert later.read() == []
    with path.open("ab") as file:
        file.write(b'{"batch": 4')
        file.flush()
        assert later.read() == []  # half a line
        file.write(b', "kind": "loss"}\n')
        file.flush()
    assert [line["batch"] for line in later.read()] == [4]


def test_a_log_says_how_far_a_run_is(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert progress_of(folder) == RunProgress()
    assert RunProgress().seconds_left is None
    written = MetricsLog(folder.metrics)
    for line in (_loss(1), _figures(1, 0.7), _figures(2, None), _loss(4, 0.25)):
        written.add(line)
    progress = progress_of(folder)
    assert (progress.batch, progress.loss, progress.best_map50) == (4, 0.25, 0.7)
    assert progress.seconds_left == pytest.approx(24.0)


def test_pictures_and_ends(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert (sample_numbers(folder), result_of(folder), error_of(folder)) == ([], None, None)
    folder.samples.mkdir()
    for name in ("epoch-0002.jpg", "epoch-0010.jpg", "epoch-x.jpg", ".hidden"):
        (folder.samples / name).write_bytes(b"jpeg")
    assert sample_numbers(folder) == [2, 10]
    assert sample(folder, 2) == b"jpeg"
    with pytest.raises(NotFoundError, match="epoch 3"):
        sample(folder, 3)
    folder.result.write_text("{")
    with pytest.raises(UsageError, match="damaged"):
        result_of(folder)
