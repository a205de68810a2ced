"""``limner convert``."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    page = {"id": "p", "name": "p.jpg", "index": 0, "width": 100, "height": 80}
    found = [{"label": "line", "box": [10, 20, 30, 40], "text": "Où ça ?", "score": 0.5}]
    path.write_text(json.dumps({"page": page, "annotations": found}) + "\n")
    return path


def test_a_file_becomes_a_folder_of_files(limner: Run, lines: Path, tmp_path: Path) -> None:
    done = limner("convert", lines, "--from", "jsonl", "--to", "coco,alto", "--to", "extractor", "-o", "out")
    assert "1 pages, 1 annotations, 3 files" in done.stderr
    assert (tmp_path / "out" / "extractor.txt").read_text() == "1 p.jpg\n10 20 30 40\n"
    assert "Où ça ?" in (tmp_path / "out" / "alto" / "p.xml").read_text()


def test_to_standard_output(limner: Run, lines: Path) -> None:
    done = limner("convert", lines, "-f", "jsonl", "-t", "coco", "-o", "-")
    assert json.loads(done.stdout)["annotations"][0]["bbox"] == [10, 20, 30, 40]


def test_what_is_lost_is_said(limner: Run, lines: Path) -> None:
    assert "YOLO cannot hold" in limner("convert", lines, "-f", "jsonl", "-t", "yolo", "-o", "out").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("in.jsonl", "-f", "coko", "-t", "jsonl", "-o", "out"), 2, "coco"),
        (("in.jsonl", "-f", "jsonl", "-t", "coko", "-o", "out"), 2, "coco"),
        (("in.jsonl", "-f", "coco", "-t", "jsonl", "-o", "out"), 1, "in.jsonl"),
        (("nowhere", "-f", "coco", "-t", "jsonl", "-o", "out"), 2, "nowhere"),
        (("in.jsonl", "-f", "jsonl", "-o", "out"), 2, "--to"),
    ],
)
def test_what_is_wrong_is_named(limner: Run, lines: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in limner("convert", *arguments, code=code).stderr
