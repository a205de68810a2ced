"""``limner datasets``."""

import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from limner.cli.datasets import app
from limner.core.errors import LimnerError
from tests.cli.conftest import Run
from tests.operations.datasets.files import coco, drawn, written, yolo_line


@pytest.fixture
def seals(tmp_path: Path) -> Path:
    """Ten pages in COCO's format, and one that is not there."""
    names = [f"{n}.png" for n in range(10)]
    return written(
        tmp_path / "seals", {"all.json": coco([*names, "gone.png"]), **{f"{n}.png": drawn(n) for n in range(10)}}
    )


def test_a_dataset_is_taken_in_shown_split_and_removed(limner: Run, seals: Path, tmp_path: Path) -> None:
    done = limner("datasets", "import", seals, "-n", "seals", "-l", "seal=stamp", "--shares", "0.6,0.2,0.2")
    assert done.stdout == ("seals@1: 6 train, 2 val, 2 test; 10 annotations of 1 labels (read as coco, split here)\n")
    assert "gone.png" in done.stderr
    (card,) = json.loads(limner("datasets", "list", "--json").stdout)
    assert (card["ref"], card["labels"], card["pages"]) == ("seals@1", ["stamp"], {"train": 6, "val": 2, "test": 2})
    assert "5 train, 5 val" in limner("datasets", "split", "seals", "--shares", "1,1").stdout
    shown = json.loads(limner("datasets", "show", "seals", "--json").stdout)
    assert (shown["version"], shown["versions"]) == ("2", ["1", "2"])
    assert "several versions" in limner("datasets", "remove", "seals", code=1).stderr
    assert limner("datasets", "remove", "seals@1").stdout == "Removed seals@1.\n"
    assert (tmp_path / "data" / "datasets" / "seals" / "2").is_dir()


def test_figures_and_copies_are_printed(limner: Run, seals: Path) -> None:
    limner("datasets", "import", seals, "-n", "seals", "--json")
    assert "look the same" in limner("datasets", "stats", "seals").stdout
    plain = json.loads(limner("datasets", "stats", "seals", "--within", "40", "--json").stdout)
    assert sum(plain["pages"].values()) == 10
    assert plain["duplicates"][0]["pages"][0]["split"] != plain["duplicates"][0]["pages"][1]["split"]


def test_datasets_are_merged_relabelled_and_handed_out(limner: Run, seals: Path, tmp_path: Path) -> None:
    limner("datasets", "import", seals, "-n", "seals")
    yolo = {"data.yaml": "names: [text]", "labels/train/a.txt": yolo_line(), "images/train/a.png": drawn(40)}
    limner("datasets", "import", written(tmp_path / "texts", yolo), "-n", "texts", "-f", "yolo")
    assert "11 annotations of 2 labels" in limner("datasets", "merge", "seals", "texts", "-n", "both").stdout
    assert "both@2" in limner("datasets", "relabel", "both", "-l", "text=").stdout
    limner("datasets", "export", "both@1", "--to", "yolo", "-o", "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert sum(name.endswith(".txt") for name in archive.namelist()) == 11
    assert "files in" in limner("datasets", "export", "both", "--to", "coco", "-o", "out").stderr
    assert "not an empty folder" in limner("datasets", "export", "both", "--to", "coco", "-o", "out", code=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "nowhere", "-n", "a"), "There is no file or folder nowhere"),
        (("import", "nowhere", "-n", "../a"), "cannot be the name of a dataset"),
        (("import", "nowhere", "-n", "a", "--shares", "much"), "are no shares"),
        (("import", "nowhere", "-n", "a", "--shares", "1,1,1,1"), "are no shares"),
        (("import", "nowhere", "-n", "a", "--label", "x"), "changes no label"),
        (("merge", "a", "-n", "b"), "two datasets"),
        (("show", "nope"), "There is no dataset called 'nope'"),
        (("remove", "nope@1"), "There is no dataset called 'nope@1'"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(app, words, env={"LIMNER_DATA": str(tmp_path)})
    assert isinstance(done.exception, LimnerError)
    assert said in str(done.exception)
