import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from limner.core.errors import DatasetError, UsageError
from limner.models.bundle_files import read_bundle
from limner.training.config import RunConfig, read_config, render_config
from limner.training.fitting.folder import RunFolder, read_metrics
from limner.training.process import FAILED, FINISHED, STOPPED, RunJob, Stopping, _told, run
from tests.training.fitting.squares import config, squares

#: Seconds after which something is wrong, on a machine that has much else to do.
_LONG = 280.0

pytestmark = pytest.mark.timeout(600)


def _folder(path: Path, asked: RunConfig) -> RunFolder:
    squares(path.parent / "data")
    path.mkdir()
    folder = RunFolder(path)
    folder.config.write_text(render_config(asked, asked=True))
    RunJob(str(path.parent / "data")).write(folder)
    return folder


def _start(folder: RunFolder) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "limner.training.process", str(folder.path)], env=environment)


def _until(process: subprocess.Popen[bytes], folder: RunFolder, batch: int) -> None:
    end = time.monotonic() + _LONG
    while not (folder.checkpoint.exists() and any(line["batch"] >= batch for line in read_metrics(folder.metrics))):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)


def test_killed_and_stopped_it_goes_on_along_the_same_curve(tmp_path: Path) -> None:
    asked = config(epochs=100, checkpoint_minutes=0.002)
    broken, whole = _folder(tmp_path / "broken", asked), _folder(tmp_path / "whole", asked)
    first = _start(broken)
    _until(first, broken, 3)
    first.kill()
    first.wait(_LONG)
    done = max(line["batch"] for line in read_metrics(broken.metrics))
    before = signal.getsignal(signal.SIGTERM)
    try:
        stopping = Stopping()
        stopping.listen()
        assert run(broken, _signalled(broken, done + 3, stopping)) == STOPPED
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not broken.bundle.exists()
    for folder in (broken, whole):
        assert run(folder, _after(folder, done + 9)) == STOPPED
    curves = [
        [(line["batch"], line.get("loss"), line.get("ap50")) for line in read_metrics(each.metrics)]
        for each in (whole, broken)
    ]
    assert curves[0] == curves[1]
    assert curves[0][-1][0] == done + 9


def _after(folder: RunFolder, batch: int) -> Callable[[], bool]:
    """Stops a run after some batch."""
    return lambda: any(line["batch"] >= batch for line in read_metrics(folder.metrics))


def _signalled(folder: RunFolder, batch: int, stopping: Stopping) -> Callable[[], bool]:
    """Sends SIGTERM after some batch."""

    def told() -> bool:
        if _after(folder, batch)():
            signal.raise_signal(signal.SIGTERM)
        return stopping()

    return told


def test_it_ends_with_a_model_and_its_figures(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "run", config(epochs=2))
    assert run(folder) == FINISHED
    bundle = read_bundle(folder.bundle)
    assert (bundle.ref, bundle.labels) == ("squares@1", ("bright", "dark"))
    assert set(bundle.figures) == {"mAP", "mAP50", "AP50 bright", "AP50 dark"}
    assert "Learnt from 16 pages of squares" in bundle.description
    result = json.loads(folder.result.read_text())
    assert (result["batches"], result["pages"]) == (8, {"train": 16, "validation": 6})
    assert [(each["label"], each["things"]) for each in result["labels"]] == [("bright", 6), ("dark", 6)]


def test_what_was_not_asked_for_is_as_the_architecture_has_it(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "run", config(epochs=1))
    assert "weight_decay" not in json.loads(folder.config.read_text())
    run(folder, lambda: True)
    full = read_config(folder.config)
    assert (full.weight_decay, full.learning_rate, full.batch_size) == (0.02, 1e-2, 4)
    assert set(json.loads(folder.config.read_text())) == set(RunConfig.model_fields)


@pytest.mark.parametrize(
    ("changes", "code"), [({"dataset": "nothing"}, "dataset.not-found"), ({"architecture": "lit"}, "unknown-name")]
)
def test_why_it_cannot_go_on_stands_in_a_file(tmp_path: Path, changes: dict[str, str], code: str) -> None:
    folder = _folder(tmp_path / "run", config(**changes))
    assert _told(folder, Stopping()) == FAILED
    assert json.loads(folder.error.read_text())["code"] == code
    folder.config.write_text(render_config(config(), asked=True))
    assert _told(folder, Stopping(os.getpid())) == STOPPED
    assert not folder.error.exists()


def test_a_dataset_that_is_another_by_now_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no longer the one"):
        run(_folder(tmp_path / "run", config(dataset_sha256="0" * 64)))


def test_each_wrong_choice_is_named(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "run", config())
    folder.config.write_text('{"dataset": "a", "architecture": "lite", "name": "a", "epochs": 0, "epoch": 3}')
    with pytest.raises(UsageError, match=r"epochs: .*greater than or equal to 1; epoch: Extra inputs"):
        run(folder)


def test_it_stops_when_told_and_when_nobody_waits_for_it_any_more() -> None:
    assert not Stopping()()
    assert not Stopping(os.getppid())()
    assert Stopping(os.getpid())()  # that is nobody's parent here
    stopping, before = Stopping(), signal.getsignal(signal.SIGTERM)
    try:
        stopping.listen()
        signal.raise_signal(signal.SIGTERM)
        assert stopping()
    finally:
        signal.signal(signal.SIGTERM, before)
