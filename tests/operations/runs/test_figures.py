import csv
import io
import json
from pathlib import Path

import pytest

from limner.operations.runs.figures import curve_of, files_of, write_figures
from limner.storage.blobs import Blobs
from limner.training.fitting.folder import MetricsLog, RunFolder

LABELS = ("seal", "a/b", "a?b")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run that is finished, as its folder looks then."""
    folder = RunFolder(tmp_path / "run")
    log = MetricsLog(folder.metrics)
    for epoch in (1, 2):
        about = {"batch": epoch * 4, "progress": epoch / 2, "seconds": epoch * 1.5}
        losses = {"label": 0.2, "box": 0.1}
        log.add({**about, "kind": "loss", "loss": 0.3, "losses": losses, "learning_rate": 0.01, "images_per_second": 9})
        by_label = dict(zip(LABELS, (0.25 * epoch, None, 0.0), strict=True))
        log.add({**about, "kind": "validation", "epoch": epoch, "ap": 0.1, "ap50": 0.2, "by_label": by_label})
    labels = [{"label": label, "ap50": 0.5, "precision": 0.75} for label in LABELS]
    folder.result.write_text(json.dumps({"labels": labels}))
    folder.samples.mkdir()
    for epoch in (1, 2):
        (folder.samples / f"epoch-000{epoch}.jpg").write_bytes(b"")
    folder.bundle.mkdir()
    (folder.bundle / "bundle.json").write_text("{}")
    return folder


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_each_label_has_a_table_in_storage(
    folder: RunFolder, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    blobs = Blobs(tmp_path / "blobs" if kind == "folder" else request.getfixturevalue("s3_storage"))
    keys = write_figures(blobs, "r1", folder)
    names = ("seal", "a_b", "a_b-2")  # two labels that would have one name
    assert sorted(keys) == sorted(f"metrics/r1/{name}.{suffix}" for name in names for suffix in ("csv", "json"))
    assert blobs.keys("metrics/r1") == sorted(keys)
    rows = list(csv.DictReader(io.StringIO(blobs.read("metrics/r1/seal.csv").decode())))
    assert [(row["epoch"], row["batch"], row["ap50"], row["map50"]) for row in rows] == [
        ("1", "4", "0.25", "0.2"),
        ("2", "8", "0.5", "0.2"),
    ]
    plain = json.loads(blobs.read("metrics/r1/a_b.json"))
    assert (plain["run"], plain["label"], plain["final"]["precision"]) == ("r1", "a/b", 0.75)
    assert [row["ap50"] for row in plain["epochs"]] == [None, None]


def test_what_mlflow_gets(folder: RunFolder) -> None:
    loss, figures = (json.loads(line) for line in folder.metrics.read_text().splitlines()[:2])
    assert curve_of(loss) == {
        "loss": 0.3,
        "loss_label": 0.2,
        "loss_box": 0.1,
        "learning_rate": 0.01,
        "images_per_second": 9,
    }
    assert curve_of(figures) == {"map": 0.1, "map50": 0.2, "ap50 seal": 0.25, "ap50 a_b": 0.0}
    assert set(files_of(folder)) == {"metrics.jsonl", "result.json", "samples/epoch-0002.jpg", "model/bundle.json"}
