import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from limner.core.errors import DatasetError, DatasetNotFoundError, UsageError
from limner.training.datasets.store import DatasetStore
from tests.training.datasets.made import a_store, dataset, page


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return a_store(tmp_path)


def test_a_dataset_is_read_as_it_was_added(store: DatasetStore) -> None:
    made = replace(
        dataset(store, [page(store, 0, [("a", 1, 2, 3, 4)]), page(store, 1, [], split="val")]),
        title="Two pages",
        licence="CC0-1.0",
        source="drawn",
        metadata={"seed": 3},
    )
    added = store.add(made)
    assert added == replace(made, version="1")
    assert store.get("pages") == added == store.get("pages@1")
    card = store.card("pages")
    assert (card.title, card.labels, card.pages, card.annotations) == ("Two pages", ("a",), {"train": 1, "val": 1}, 1)
    assert card.sha256 == made.sha256


def test_versions_are_numbered_and_the_same_content_is_not_added_twice(store: DatasetStore) -> None:
    first = dataset(store, [page(store, 0, [("a", 1, 2, 3, 4)])])
    second = dataset(store, [page(store, 0, [("a", 1, 2, 3, 5)])])
    assert [store.add(each).version for each in (first, first, second, first)] == ["1", "1", "2", "3"]
    assert [f"{card.name}@{card.version}" for card in store.list()] == ["pages@1", "pages@2", "pages@3"]
    with pytest.raises(DatasetError, match="never change"):
        store.add(replace(second, version="2"))


def test_what_is_incomplete_is_not_added(store: DatasetStore) -> None:
    sound = dataset(store, [page(store, 0, [("a", 1, 2, 3, 4)])])
    with pytest.raises(DatasetError, match="no page"):
        store.add(replace(sound, pages=()))
    with pytest.raises(DatasetError, match="does not name: a"):
        store.add(replace(sound, labels=("b",)))
    with pytest.raises(DatasetError, match="not among the kept"):
        store.add(replace(sound, pages=(replace(sound.pages[0], image="0" * 64 + ".png"),)))
    with pytest.raises(UsageError, match="cannot be the name"):
        store.add(replace(sound, name="../up"))
    assert store.list() == []


def test_an_unknown_dataset_is_named_with_its_nearest(store: DatasetStore) -> None:
    store.add(dataset(store, [page(store, 0, [])]))
    with pytest.raises(DatasetNotFoundError, match="Did you mean pages"):
        store.get("page")
    for ref in ("pages@9", "../pages", "pages@../1", ""):
        with pytest.raises(DatasetNotFoundError):
            store.get(ref)


def test_removing_a_version_removes_the_images_that_only_it_had(store: DatasetStore) -> None:
    shared, own = page(store, 0, [("a", 1, 2, 3, 4)]), page(store, 1, [("a", 9, 9, 9, 9)])
    store.add(dataset(store, [shared, own]))
    store.add(dataset(store, [shared]))
    for file in store.images.glob("*/*"):
        os.utime(file, (0, 0))
    with pytest.raises(DatasetError, match="several versions"):
        store.remove("pages")
    assert store.remove("pages@1") == "pages@1"
    assert [file.name for file in store.images.glob("*/*")] == [shared.image]
    store.remove("pages")
    assert store.list() == []
    assert list(store.images.glob("*/*")) == []


def test_a_damaged_dataset_says_so(store: DatasetStore) -> None:
    store.add(dataset(store, [page(store, 0, [])]))
    manifest = store.folder / "pages" / "1" / "dataset.json"
    manifest.write_text(json.dumps({"format": 2}))
    with pytest.raises(DatasetError, match="does not know"):
        store.get("pages")
    manifest.write_text("{")
    with pytest.raises(DatasetError, match="damaged"):
        store.card("pages")


def test_only_formats_that_training_reads_are_kept(store: DatasetStore) -> None:
    with pytest.raises(DatasetError, match="jpg or png"):
        store.keep_image(b"GIF89a", "gif")


def test_an_image_that_comes_again_is_not_forgotten(store: DatasetStore) -> None:
    store.add(dataset(store, [page(store, 0, [("a", 1, 2, 3, 4)])], "other"))
    late = page(store, 1, [("a", 9, 9, 9, 9)])
    os.utime(store.images / late.image[:2] / late.image, (0, 0))
    page(store, 1, [("a", 9, 9, 9, 9)])
    store.remove("other")
    assert store.add(dataset(store, [late])).ref == "pages@1"
