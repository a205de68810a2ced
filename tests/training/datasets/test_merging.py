from dataclasses import replace
from pathlib import Path

from limner.training.datasets.merging import extended, merged, numbered
from tests.training.datasets.made import a_store, dataset, page


def test_pages_say_which_labels_were_looked_for_on_them(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    seals = store.add(dataset(store, [page(store, 0, [("seal", 1, 1, 9, 9)])], "seals"))
    texts = store.add(dataset(store, [page(store, 1, [("text", 1, 1, 40, 9)], split="val")], "texts"))
    both = store.add(merged([seals, texts], "both"))
    assert both.labels == ("seal", "text")
    assert [one.exhaustive for one in both.pages] == [{"seal"}, {"text"}]
    assert [one.split for one in both.pages] == ["train", "val"]
    assert both.source == "seals@1, texts@1"
    alike = store.add(merged([seals, replace(seals, name="again")], "alike"))
    assert [one.exhaustive for one in alike.pages] == [None]


def test_an_image_is_never_in_two_splits(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    boxes = [("seal", 1, 1, 9, 9)]
    one = dataset(store, [page(store, 0, boxes)], "one")
    same = dataset(store, [page(store, 0, boxes, split="test")], "same")
    other = page(store, 0, boxes, split="test")
    other = replace(other, annotations=(replace(other.annotations[0], label="stamp"),))
    assert [each.split for each in merged([one, same], "both").pages] == ["train"]
    assert [each.split for each in merged([one, dataset(store, [other], "o")], "both").pages] == ["train", "train"]


def test_newer_pages_take_the_place_of_older_ones_and_documents_their_split(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    old = [page(store, n, [("a", n, 1, 5, 5)], split="test", document="d") for n in (0, 1)]
    corrected = page(store, 1, [("a", 7, 7, 5, 5), ("b", 30, 7, 5, 5)], document="d")
    more = extended(dataset(store, old), dataset(store, [corrected, page(store, 2, [], document="e")]))
    assert [(each.page.name, each.split) for each in more.pages] == [
        ("p000.png", "test"),
        ("p001.png", "test"),
        ("p002.png", "train"),
    ]
    assert len(more.pages[1].annotations) == 2
    assert more.labels == ("a", "b")


def test_names_and_ids_stand_once_in_whatever_capitals(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    base = page(store, 0, [])
    names = ["a.png", "A.jpg", "b.png", "a-2.png", "a.png"]
    pages = numbered([replace(base, page=replace(base.page, name=name, id="same")) for name in names])
    stems = [each.page.name.rpartition(".")[0].casefold() for each in pages]
    assert len(set(stems)) == len(names)
    assert [each.page.name for each in pages][:3] == ["a.png", "A-2.jpg", "b.png"]
    assert len({each.page.id for each in pages}) == len(names)
    assert [each.page.index for each in pages] == [0, 1, 2, 3, 4]
