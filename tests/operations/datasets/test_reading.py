"""Which format it is, and which files are of it."""

from pathlib import Path

import pytest

from limner.annotations.formats.protocol import WRITERS
from limner.core.errors import FormatError
from limner.core.settings import Settings
from limner.operations.datasets.exporting import write_folder
from limner.operations.datasets.places import open_place
from limner.operations.datasets.reading import Material, detect, files_of, look_at, read_file, unannotated
from limner.training.datasets.store import DatasetStore
from tests.operations.datasets.files import coco, drawn, voc, written, yolo_line
from tests.training.datasets.made import dataset, page


def _material(folder: Path, files: dict[str, str | bytes]) -> Material:
    return look_at(open_place(written(folder / "given", files), Settings()))


@pytest.mark.parametrize(
    "form", ["coco", "yolo", "voc", "labelme", "labelstudio", "alto", "page", "w3c", "jsonl", "extractor"]
)
def test_formats_are_told_by_their_content(form: str, store: DatasetStore, tmp_path: Path) -> None:
    made = store.add(dataset(store, [page(store, 0, [("seal", 8, 16, 32, 24)])]))
    assert form in WRITERS.names()
    write_folder(made, form, tmp_path / "out")
    assert detect(look_at(open_place(tmp_path / "out", Settings()))) == form


def test_files_without_annotations_tell_a_format_where_nothing_else_does(tmp_path: Path) -> None:
    empty = {"0.json": '{"shapes": [], "imagePath": "0.png"}', "0.png": drawn(0)}
    assert detect(_material(tmp_path, empty)) == "labelme"


def test_nothing_that_is_known_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no format that is known"):
        detect(_material(tmp_path, {"a.json": "{}", "b.xml": "<a/>", "c.txt": "hello"}))


def test_lists_and_notes_are_no_labels(tmp_path: Path) -> None:
    files = {"0.txt": yolo_line(), "classes.txt": "seal\n", "README.txt": "1 2 3 4 5", "0.png": drawn(0)}
    material = _material(tmp_path, files)
    assert files_of(material, "yolo") == ["0.txt"]
    file = read_file(material, "yolo", "0.txt", lambda _: (96, 64))
    assert file.pages[0].annotations[0].label == "seal"
    assert list(unannotated(material, set())) == ["0.png"]


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    material = _material(tmp_path, {"0.xml": voc("0.png"), "c.json": coco(["0.png"])})
    for form, path in (("alto", "0.xml"), ("labelme", "c.json")):
        with pytest.raises(FormatError):
            read_file(material, form, path, lambda _: None)
