"""From one format to others, through the operation and the command."""

import json
from pathlib import Path

import pytest
from PIL import Image

from limner.core.errors import FormatError, UnknownNameError, UsageError
from limner.operations.convert import annotation_files, convert, image_sizes
from limner.operations.outputs import Target


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """A folder as YOLO's trainers have it: images, labels and names."""
    folder = tmp_path / "set"
    (folder / "labels").mkdir(parents=True)
    (folder / "images").mkdir()
    (folder / "data.yaml").write_text("names: [diagram, initial]\n")
    (folder / "labels" / "p1.txt").write_text("0 0.5 0.5 0.5 0.25\n1 0.1 0.1 0.1 0.1\n")
    (folder / "labels" / "p.2.txt").write_text("")
    Image.new("RGB", (400, 200)).save(folder / "images" / "p1.png")
    Image.new("RGB", (400, 200)).save(folder / "images" / "p.2.jpg")
    return folder


def test_yolo_becomes_coco_with_the_sizes_of_its_images(yolo: Path, tmp_path: Path) -> None:
    result = convert(yolo, "yolo", Target.parse(str(tmp_path / "out"), ["coco", "csv"]))
    assert (result.pages, result.annotations) == (2, 2)
    coco = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert {image["width"] for image in coco["images"]} == {400}
    boxes = sorted(annotation["bbox"] for annotation in coco["annotations"])
    assert boxes == [[20, 10, 40, 20], [100, 75, 200, 50]]
    assert {path.name for path in result.files} == {"coco.json", "annotations.csv"}


def test_there_and_back_again_is_the_same(yolo: Path, tmp_path: Path) -> None:
    convert(yolo, "yolo", Target.parse(str(tmp_path / "a"), ["jsonl"]))
    convert(tmp_path / "a" / "annotations.jsonl", "jsonl", Target.parse(str(tmp_path / "b"), ["jsonl"]))
    assert (tmp_path / "a" / "annotations.jsonl").read_text() == (tmp_path / "b" / "annotations.jsonl").read_text()


def test_what_a_format_cannot_hold_is_said(yolo: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    page = {"id": "p", "name": "p.jpg", "index": 0, "width": 100, "height": 100}
    line = {"page": page, "annotations": [{"label": "line", "box": [1, 2, 30, 40], "text": "bonjour"}]}
    path.write_text(json.dumps(line) + "\n")
    result = convert(path, "jsonl", Target.parse(str(tmp_path / "out"), ["yolo"]))
    assert any("text" in warning for warning in result.warnings)


def test_an_unknown_format_a_missing_file_and_an_empty_folder_are_named(yolo: Path, tmp_path: Path) -> None:
    target = Target.parse(str(tmp_path / "out"), ["jsonl"])
    with pytest.raises(UnknownNameError, match="yolo"):
        convert(yolo, "yollo", target)
    with pytest.raises(UsageError, match="nowhere"):
        convert(tmp_path / "nowhere", "yolo", target)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty"):
        convert(tmp_path / "empty", "yolo", target)


def test_files_of_another_format_are_refused(yolo: Path, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"hello": 1}')
    with pytest.raises(FormatError):
        convert(tmp_path / "x.json", "coco", Target.parse(str(tmp_path / "out"), ["jsonl"]))


def test_binary_files_that_pose_as_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="UTF-8"):
        list(annotation_files(tmp_path / "x.json"))


def test_sizes_come_by_name_or_by_stem(yolo: Path) -> None:
    size_of = image_sizes(yolo)
    assert size_of("p1.png") == size_of("p1") == size_of("p.2") == (400, 200)
    assert size_of("p3.png") is None
