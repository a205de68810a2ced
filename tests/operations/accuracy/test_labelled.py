"""Annotated pages on the disk, in any format."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import WRITERS
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import FormatError, UnknownNameError, UsageError
from limner.operations.accuracy.labelled import read_labelled

PLACE = Box(10, 20, 30, 40)


def dataset(folder: Path, name: str, count: int = 2) -> Path:
    """Pages with one seal each, written in a format, with images beside them."""
    pages = []
    for at in range(count):
        image = folder / "images" / f"p{at}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(image), np.zeros((100, 80, 3), np.uint8))
        page = Page(id=image.name, name=image.name, index=at, width=80, height=100)
        pages.append(AnnotatedPage(page, (Annotation(shape=PLACE, label="seal"),)))
    for file in WRITERS.get(name).render(Document(id="d", title="d", pages=pages)):
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(file.chunks))
    return folder


@pytest.mark.parametrize("name", ["coco", "yolo", "voc", "labelme", "labelstudio", "jsonl", "page"])
def test_the_format_is_found_out(tmp_path: Path, name: str) -> None:
    found = read_labelled(dataset(tmp_path, name))
    assert found.format == name
    assert [page.image.name for page in found.pages] == ["p0.png", "p1.png"]
    for page in found.pages:
        (each,) = page.page.annotations
        assert each.label == "seal"
        np.testing.assert_allclose(each.shape.bounds.corners, PLACE.corners, atol=0.01)


def test_a_file_alone_with_its_images_elsewhere(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "all", "coco")
    (file,) = folder.glob("*.json")
    moved = tmp_path / "annotations.json"
    file.rename(moved)
    assert len(read_labelled(moved, "coco", folder / "images").pages) == 2


def test_missing_images_are_named(tmp_path: Path) -> None:
    folder = dataset(tmp_path, "coco", 3)
    (folder / "images" / "p1.png").unlink()
    found = read_labelled(folder)
    assert len(found.pages) == 2
    assert any("p1.png" in problem for problem in found.problems)
    for image in (folder / "images").iterdir():
        image.unlink()
    with pytest.raises(UsageError, match="None of the 3 images"):
        read_labelled(folder)


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file of annotations"):
        read_labelled(tmp_path)
    (tmp_path / "x.json").write_text('{"a": 1}')
    with pytest.raises(FormatError, match="no format that is known"):
        read_labelled(tmp_path)
    with pytest.raises(UnknownNameError):
        read_labelled(tmp_path, "nonsense")
    with pytest.raises(UsageError, match="no file or folder"):
        read_labelled(tmp_path / "nothing")
