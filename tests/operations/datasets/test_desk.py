"""Datasets split, merged, relabelled and looked at."""

import io
from pathlib import Path

import pytest
from PIL import Image

from limner.core.errors import DatasetError, NotFoundError, UsageError
from limner.core.settings import Settings
from limner.operations.datasets import desk
from limner.operations.datasets.gathering import Wishes
from limner.training.datasets.labels import LabelMap
from limner.training.datasets.splits import Shares
from limner.training.datasets.store import DatasetStore
from tests.training.datasets.made import dataset, page


@pytest.fixture
def two(store: DatasetStore) -> DatasetStore:
    store.add(dataset(store, [page(store, n, [("seal", 8, 16, 32, 24)]) for n in range(10)], "seals"))
    store.add(dataset(store, [page(store, n, [("text", 50, n, 9, 9)]) for n in range(10, 14)], "texts"))
    return store


def test_another_split_is_another_version(two: DatasetStore) -> None:
    made = desk.split_anew(two, "seals", Shares(1, 1, 0))
    assert made.ref == "seals@2"
    assert two.card("seals").pages == {"train": 5, "val": 5}
    assert two.card("seals@1").pages == {"train": 10}


def test_datasets_are_merged_and_relabelled(two: DatasetStore) -> None:
    both = desk.merge(two, ["seals", "texts@1"], "both")
    assert (both.ref, both.labels, len(both.pages)) == ("both@1", ("seal", "text"), 14)
    assert desk.relabel(two, "both", LabelMap.parse(["text="])).labels == ("seal",)
    assert desk.relabel(two, "both@1", LabelMap.parse(["seal=blot"]), "blots").ref == "blots@1"
    with pytest.raises(UsageError, match="two datasets"):
        desk.merge(two, ["seals"], "one")


def test_one_is_made_of_others_as_it_is_wished_for(two: DatasetStore) -> None:
    wishes = Wishes(name="all", labels=LabelMap({"text": "seal"}), resplit=True, shares=Shares(1, 1, 0), title="All")
    made = desk.derive(two, ["seals", "texts"], wishes).dataset
    assert (made.labels, made.title) == (("seal",), "All")
    assert {len(made.split("train")), len(made.split("val"))} == {7}
    more = desk.derive(two, ["texts"], Wishes(name="seals", append=True)).dataset
    assert (more.ref, len(more.pages), more.labels) == ("seals@2", 14, ("seal", "text"))


def test_a_page_is_drawn_with_what_is_on_it(two: DatasetStore, tmp_path: Path) -> None:
    found = two.get("seals")
    drawn, plain = (
        desk.thumbnail(found, desk.page_at(found, 0), Settings(data=tmp_path), 48, marked=marked)
        for marked in (True, False)
    )
    with Image.open(io.BytesIO(drawn)) as image:
        assert (image.format, image.size) == ("JPEG", (48, 32))
    assert drawn != plain
    for index in (-1, 10):
        with pytest.raises(NotFoundError, match="has 10"):
            desk.page_at(found, index)
    found.image_path(found.pages[0]).unlink()
    with pytest.raises(DatasetError, match="is gone"):
        desk.thumbnail(found, found.pages[0], Settings(data=tmp_path), 48)


def test_workspaces_have_folders_of_their_own(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    folders = {desk.local_datasets(settings).folder, *(desk.workspace_datasets(settings, w).folder for w in "ab")}
    assert len(folders) == 3
    with pytest.raises(NotFoundError):
        desk.workspace_datasets(settings, "../a")
