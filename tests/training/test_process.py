import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from limner.models.bundle_files import read_bundle
from limner.training.config import RunConfig, render_config
from limner.training.fitting.folder import RunFolder, read_metrics
from limner.training.process import FAILED, FINISHED, STOPPED, RunJob, run
from tests.training.fitting.squares import config, squares

#: Seconds after which something is wrong.
_LONG = 100.0


def _folder(path: Path, asked: RunConfig) -> RunFolder:
    squares(path.parent / "data")
    path.mkdir()
    folder = RunFolder(path)
    folder.config.write_text(render_config(asked))
    RunJob(str(path.parent / "data")).write(folder)
    return folder


def _start(folder: RunFolder) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "limner.training.process", str(folder.path)], env=environment)


def _until(process: subprocess.Popen[bytes], folder: RunFolder, batch: int) -> None:
    end = time.monotonic() + _LONG
    while not any(line["batch"] >= batch for line in read_metrics(folder.metrics)):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)


def test_killed_and_stopped_it_comes_to_the_same_end(tmp_path: Path) -> None:
    asked = config(epochs=6, checkpoint_minutes=1e-9, loaders=1, augment="page")
    whole = _folder(tmp_path / "whole", asked)
    assert run(whole) == FINISHED
    broken = _folder(tmp_path / "broken", asked)
    first = _start(broken)
    _until(first, broken, 7)
    first.kill()
    first.wait(_LONG)
    second = _start(broken)
    _until(second, broken, 14)
    second.send_signal(signal.SIGTERM)
    assert second.wait(_LONG) == STOPPED
    assert not broken.bundle.exists()
    assert _start(broken).wait(_LONG) == FINISHED
    curves = [
        [(line["batch"], line.get("loss"), line.get("ap50")) for line in read_metrics(each.metrics)]
        for each in (whole, broken)
    ]
    assert curves[0] == curves[1]
    bundle = read_bundle(broken.bundle)
    assert (bundle.ref, bundle.labels) == ("squares@1", ("bright", "dark"))
    assert set(bundle.figures) == {"mAP", "mAP50", "AP50 bright", "AP50 dark"}
    assert "Learnt from 16 pages of squares" in bundle.description
    result = json.loads((broken.path / "result.json").read_text())
    assert (result["batches"], result["pages"]) == (24, {"train": 16, "validation": 6})


@pytest.mark.parametrize(
    ("changes", "code"), [({"dataset": "nothing"}, "dataset.not-found"), ({"architecture": "lit"}, "unknown-name")]
)
def test_why_it_cannot_go_on_stands_in_a_file(tmp_path: Path, changes: dict[str, str], code: str) -> None:
    folder = _folder(tmp_path / "run", config(**changes))
    assert _start(folder).wait(_LONG) == FAILED
    assert json.loads((folder.path / "error.json").read_text())["code"] == code
