import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.cli.training import described, duration
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from limner.operations.runs.progress import RunProgress
from limner.training.fitting.folder import read_metrics
from tests.cli.conftest import LIMNER, Run
from tests.models.networks import bright_boxes_bundle
from tests.training.fitting.squares import squares

#: Seconds after which something is wrong, on a machine that has much else to do.
_LONG = 240.0
_CHOICES = {"image_size": 64, "batch_size": 2, "loaders": 0, "augment": "none"}


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """One thread, as it has on a machine that does much else."""
    return {**environment, "OMP_NUM_THREADS": "1", "LIMNER_THREADS": "1"}


def _labelme(folder: Path) -> Path:
    """Photographs of bright things, marked in labelme."""
    folder.mkdir()
    for number in range(10):
        chance = np.random.default_rng(number)
        pixels = chance.normal(60, 5, (64, 64, 3)).clip(0, 255).astype(np.uint8)
        x, y = (int(at) for at in chance.integers(2, 36, 2))
        pixels[y : y + 24, x : x + 24] = 240
        Image.fromarray(pixels).save(folder / f"{number}.png")
        shape = {"label": "nut", "shape_type": "rectangle", "points": [[x, y], [x + 24, y + 24]]}
        about = {"version": "5.0", "imagePath": f"{number}.png", "imageHeight": 64, "imageWidth": 64}
        (folder / f"{number}.json").write_text(json.dumps({**about, "imageData": None, "shapes": [shape]}))
    return folder


@pytest.mark.timeout(600)
def test_from_a_labelme_folder_to_a_model_with_a_pause_between(
    limner: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    config = tmp_path / "choices.json"
    config.write_text(json.dumps({**_CHOICES, "epochs": 20}))
    words = ["train", "--data", _labelme(tmp_path / "My nuts"), "--config", config]
    process = subprocess.Popen(
        [str(LIMNER), *map(str, words)], env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    runs, end = Path(environment["LIMNER_DATA"]) / "runs", time.monotonic() + _LONG
    while not any(list(read_metrics(path)) for path in runs.glob("*/metrics.jsonl")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=_LONG)[1]
    assert process.returncode == 3, said
    assert "my-nuts@1: 10 pages (labelme), nut." in said
    (folder,) = runs.iterdir()
    assert f"Stopped. Go on with: limner train --resume {folder.name}" in said
    (listed,) = json.loads(limner("runs", "list", "--json").stdout)
    assert (listed["id"], listed["status"], listed["dataset"]) == (folder.name, "stopped", "my-nuts@1")
    done = limner("train", "--resume", folder.name, "--alias", "best", LIMNER_STORAGE_URL=str(tmp_path / "blobs"))
    assert "my-nuts@1 is installed: mAP 0." in done.stdout
    assert "best stands for my-nuts@1.\nAnnotate with it: limner annotate IMAGE... --model best" in done.stdout
    batches = [line["batch"] for line in read_metrics(folder / "metrics.jsonl") if line["kind"] == "loss"]
    assert batches == list(range(1, len(batches) + 1))
    assert json.loads((folder / "result.json").read_text())["batches"] == len(batches)
    assert (tmp_path / "blobs" / "metrics" / folder.name / "nut.csv").is_file()
    shown = limner("runs", "show", folder.name).stdout
    assert "status             finished" in shown
    assert not limner("runs", "promote", folder.name, "--alias", "best").stderr
    assert "best is forgotten" in limner("models", "rollback", "best").stdout
    assert limner("annotate", tmp_path / "My nuts" / "1.png", "--model", "my-nuts", "-o", tmp_path / "out")


@pytest.mark.timeout(400)
def test_how_long_it_would_take_is_measured(limner: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    squares(Path(environment["LIMNER_DATA"]) / "datasets")
    config = tmp_path / "choices.toml"
    config.write_text("image_size = 64\nbatch_size = 4\nloaders = 0\n")
    told = json.loads(limner("train", "squares", "--config", config, "--epochs", "5", "--dry-run", "--json").stdout)
    assert (told["batches"], told["epochs"], told["pages"]) == (20, 5, {"train": 16, "validation": 6})
    assert told["seconds"] >= 20 * told["batch_seconds"] * 0.9
    assert told["memory"] > 100_000_000
    assert json.loads(limner("runs", "list", "--json").stdout) == []


def test_what_makes_no_sense_is_said(limner: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    data = Path(environment["LIMNER_DATA"])
    squares(data / "datasets", train=2, val=1)
    ModelStore(data / "models").add(read_bundle(bright_boxes_bundle(tmp_path / "bright")))
    (tmp_path / "wrong.json").write_text('{"epochs": 3, "epoch": 4}')
    (tmp_path / "list.json").write_text("[]")
    for words, code, said in (
        (("train",), 2, "nothing to learn from"),
        (("train", "squares", "--data", tmp_path), 2, "Either a dataset is named"),
        (("train", "--resume", "x", "--epochs", "3"), 2, "nothing else can be chosen"),
        (("train", "--resume", "x"), 1, "There is no run 'x'"),
        (("train", "squarse"), 1, "Did you mean squares"),
        (("train", "squares", "--arch", "lit"), 2, "Did you mean lite"),
        (("train", "squares", "--from", "bright"), 1, "no weights to go on from"),
        (("train", "squares", "--epochs", "0"), 2, "epochs: "),
        (("train", "squares", "--config", "wrong.json"), 2, "epoch: Extra inputs"),
        (("train", "squares", "--config", "list.json"), 2, "holds no choices"),
        (("train", "squares", "--config", "nowhere.json"), 2, "cannot be read"),
        (("runs", "show", "../x"), 1, "There is no run '../x'"),
    ):
        assert said in limner(*words, code=code).stderr
    assert not (data / "runs").exists()


def test_a_run_says_how_far_it_is() -> None:
    assert described(RunProgress()) == ""
    state = RunProgress(batch=9, progress=0.25, seconds=60, loss=0.4119, images_per_second=41.23, best_map50=0.873)
    assert described(state) == "loss 0.412 · best mAP50 0.873 · 41.2 images/s · 3 min left"
    assert [duration(seconds) for seconds in (40, 90, 5400)] == ["40 s", "2 min", "1.5 h"]
