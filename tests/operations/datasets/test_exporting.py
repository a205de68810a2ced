"""Datasets in every format, and taken in again."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from limner.annotations.formats.protocol import READERS, WRITERS
from limner.annotations.shapes import Box
from limner.core.errors import UnknownNameError, UsageError
from limner.operations.datasets.exporting import exported, losses, write_folder, zip_name, zipped
from limner.operations.datasets.gathering import Wishes
from limner.operations.datasets.importing import How, import_dataset
from limner.sources.protocol import SourceContext
from limner.training.datasets.dataset import Dataset
from limner.training.datasets.store import DatasetStore
from tests.operations.datasets.files import drawn
from tests.training.datasets.made import dataset, page

#: Formats that are read as well as written.
_BOTH = sorted(set(WRITERS.names()) & set(READERS.names()) - {"extractor"})


@pytest.fixture
def made(store: DatasetStore) -> Dataset:
    """Four pages of two documents in three splits, two of them with one file name, one with nothing on it."""
    pages = [
        page(store, 0, [("seal", 8, 16, 32, 24), ("text", 50, 5, 20, 9)], document="a"),
        page(store, 1, [("seal", 9, 16, 32, 24)], document="a"),
        replace(page(store, 2, [("text", 8, 18, 30, 20)], split="val", document="b"), ignore=(Box(50, 30, 20, 10),)),
        replace(page(store, 3, [], split="test", document="c"), exhaustive=frozenset({"seal"})),
    ]
    pages[3] = replace(pages[3], page=replace(pages[3].page, name="P000.png"))
    return store.add(replace(dataset(store, pages, "seals"), title="Seals", licence="CC0-1.0"))


@pytest.mark.parametrize("form", _BOTH)
def test_what_is_handed_out_can_be_taken_in(
    made: Dataset, store: DatasetStore, context: SourceContext, tmp_path: Path, form: str
) -> None:
    write_folder(made, form, tmp_path / "out")
    (tmp_path / "out.zip").write_bytes(b"".join(zipped(made, form)))
    for spec in (tmp_path / "out", tmp_path / "out.zip"):
        again = import_dataset(spec, store, Wishes(name="again"), How(), context)
        assert again.kept_splits
        assert not again.problems
        assert again.dataset.labels == made.labels
        before = {each.image: each for each in made.pages}
        for each in again.dataset.pages:
            old = before.pop(each.image)
            assert (each.split, each.document, each.ignore) == (old.split, old.document, old.ignore)
            assert each.exhaustive == old.exhaustive
            assert sorted((a.label, a.shape.bounds.corners) for a in each.annotations) == [
                (a.label, pytest.approx(a.shape.bounds.corners, abs=0.01)) for a in sorted_by_place(old.annotations)
            ]
        assert not before
        assert (again.dataset.title, again.dataset.licence) == ("Seals", "CC0-1.0")


def sorted_by_place(annotations):
    return sorted(annotations, key=lambda each: (each.label, each.shape.bounds.corners))


@pytest.mark.parametrize("form", WRITERS.names())
def test_every_format_has_the_images(made: Dataset, form: str) -> None:
    paths = [file.path for file in exported(made, form)]
    assert len(set(paths)) == len(paths)
    assert sum(path.endswith(".png") for path in paths) == 4
    assert "limner.json" in paths


def test_the_zip_file_is_whole_and_the_same_each_time(made: Dataset) -> None:
    first, second = (b"".join(zipped(made, "yolo")) for _ in range(2))
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.testzip() is None
        assert archive.read("images/train/p000.png") == made.image_path(made.pages[0]).read_bytes()
        described = yaml.safe_load(archive.read("data.yaml"))
    assert described["names"] == {0: "seal", 1: "text"}
    assert (described["train"], described["val"], described["test"]) == ("images/train", "images/val", "images/test")
    assert zip_name(made, "yolo") == "seals-1-yolo.zip"


def test_a_large_zip_file_comes_in_pieces(store: DatasetStore) -> None:
    pages = [page(store, n, []) for n in range(3)]
    big = store.keep_image(drawn(1) + bytes(3 << 20), "png")
    made = store.add(dataset(store, [replace(each, image=big) for each in pages]))
    pieces = list(zipped(made, "coco"))
    assert len(pieces) >= 6
    assert max(map(len, pieces)) < 3 << 20


def test_zones_of_which_nothing_is_known_are_crowds_in_coco(made: Dataset, tmp_path: Path) -> None:
    write_folder(made, "coco", tmp_path / "out")
    plain = json.loads((tmp_path / "out/val/coco.json").read_text())
    (crowd,) = [each for each in plain["annotations"] if each["iscrowd"]]
    assert crowd["bbox"] == [50, 30, 20, 10]
    write_folder(made, "yolo", tmp_path / "yolo")
    assert (tmp_path / "yolo/labels/val/p002.txt").read_text().count("\n") == 1


def test_what_a_format_cannot_hold_is_said(made: Dataset) -> None:
    assert losses(made, "coco") == []
    with pytest.raises(UnknownNameError):
        losses(made, "cooc")


def test_a_folder_with_something_in_it_is_left_alone(made: Dataset, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("x")
    for taken in (tmp_path / "full", tmp_path / "full/mine.txt"):
        with pytest.raises(UsageError, match="not an empty folder"):
            write_folder(made, "coco", taken)
