"""Real datasets, a few pages of each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from limner.annotations.shapes import Polygon
from limner.operations.datasets.gathering import Wishes
from limner.operations.datasets.importing import How, import_dataset
from limner.sources.protocol import SourceContext
from limner.training.datasets.labels import LabelMap
from limner.training.datasets.phash import duplicates
from limner.training.datasets.statistics import statistics
from limner.training.datasets.store import DatasetStore
from tests.real_data import real_data


def test_blood_cells_in_voc(store: DatasetStore, context: SourceContext, tmp_path: Path) -> None:
    source, given = real_data("bccd/BCCD"), tmp_path / "bccd"
    lists = {name: (source / f"ImageSets/Main/{name}.txt").read_text().split()[:4] for name in ("train", "val", "test")}
    for folder, suffix in (("Annotations", "xml"), ("JPEGImages", "jpg")):
        (given / folder).mkdir(parents=True)
        for stem in {stem for stems in lists.values() for stem in stems}:
            shutil.copy(source / folder / f"{stem}.{suffix}", given / folder)
    shutil.copytree(source / "ImageSets", given / "ImageSets")
    done = import_dataset(given, store, Wishes(name="bccd", licence="MIT"), How(), context)
    assert (done.format, done.kept_splits) == ("voc", True)
    assert done.dataset.labels == ("Platelets", "RBC", "WBC")
    assert {name: {Path(page.page.name).stem for page in done.dataset.split(name)} for name in lists} == {
        name: set(stems) for name, stems in lists.items()
    }
    page = done.dataset.pages[0]
    assert done.dataset.image_path(page).read_bytes() == (given / "JPEGImages" / page.page.name).read_bytes()
    assert duplicates(done.dataset) == []


def test_nuts_in_labelme_and_coco_are_the_same(store: DatasetStore, context: SourceContext, tmp_path: Path) -> None:
    source, given = real_data("nuts"), tmp_path / "nuts"
    given.mkdir()
    for stem in range(4):
        for suffix in ("jpg", "json"):
            shutil.copy(source / "labelme" / f"{stem}.{suffix}", given)
    wishes = Wishes(name="nuts", labels=LabelMap.parse(["hazelnut=nut"]))
    labelme = import_dataset(given, store, wishes, How(), context)
    assert labelme.format == "labelme"
    plain = json.loads((source / "trainval.json").read_text())
    plain["images"] = [each for each in plain["images"] if each["file_name"][:-4] in set("0123")]
    kept = {each["id"] for each in plain["images"]}
    plain["annotations"] = [each for each in plain["annotations"] if each["image_id"] in kept]
    (tmp_path / "trainval.json").write_text(json.dumps(plain))
    coco = import_dataset(tmp_path / "trainval.json", store, wishes, How(), context, images=given)
    assert coco.format == "coco"
    assert coco.dataset.labels == labelme.dataset.labels == ("date", "fig", "nut")
    shapes = [
        {
            (page.page.name, each.label, tuple(round(value) for value in each.shape.bounds.corners))
            for page in done.dataset.pages
            for each in page.annotations
            if isinstance(each.shape, Polygon)
        }
        for done in (labelme, coco)
    ]
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) > 20


def test_pages_of_books_in_coco_stay_with_their_book(
    store: DatasetStore, context: SourceContext, tmp_path: Path
) -> None:
    source, given = real_data("layout"), tmp_path / "layout"
    (given / "images").mkdir(parents=True)
    for name in ("train", "val"):
        plain = json.loads((source / f"{name}.json").read_text())
        plain["images"] = plain["images"][:5]
        kept = {each["id"] for each in plain["images"]}
        plain["annotations"] = [each for each in plain["annotations"] if each["image_id"] in kept]
        (given / f"{name}.json").write_text(json.dumps(plain))
        for image in plain["images"]:
            shutil.copy(source / "images" / image["file_name"], given / "images")
    done = import_dataset(given, store, Wishes(name="layout"), How(), context)
    figures = statistics(done.dataset)
    assert (done.kept_splits, figures.pages) == (True, {"train": 5, "val": 5, "test": 0})
    assert figures.torn == ()
    assert sum(figures.documents.values()) < 10
    assert {"text", "initial"} <= set(done.dataset.labels)
    again = import_dataset(given, store, Wishes(name="layout", resplit=True), How(), context)
    assert statistics(again.dataset).torn == ()
    assert duplicates(done.dataset) == []
