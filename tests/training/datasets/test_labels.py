from dataclasses import replace
from pathlib import Path

import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.shapes import Box
from limner.core.errors import UsageError
from limner.training.datasets.labels import LabelMap, renamed, told_apart
from tests.training.datasets.made import a_store, dataset, page


def _marked(**attributes: object) -> Annotation:
    return Annotation(shape=Box(1, 2, 3, 4), label="seal", attributes=attributes)


def test_labels_are_renamed_joined_and_left_out(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    first = page(store, 0, [("Seal", 1, 1, 9, 9), ("stamp", 20, 1, 9, 9), ("text", 40, 1, 9, 9)])
    second = replace(page(store, 1, [("Seal", 1, 1, 9, 9)]), exhaustive=frozenset({"Seal", "stamp"}))
    changed = renamed(dataset(store, [first, second]), LabelMap.parse(["Seal=seal", " stamp = seal", "text="]))
    assert changed.labels == ("seal",)
    assert [[each.label for each in one.annotations] for one in changed.pages] == [["seal", "seal"], ["seal"]]
    assert [one.exhaustive for one in changed.pages] == [None, {"seal"}]
    assert changed.version == ""


@pytest.mark.parametrize("rules", [["seal"], ["=seal"], ["a=b", "a=c"]])
def test_rules_that_make_no_sense_are_refused(rules: list[str]) -> None:
    with pytest.raises(UsageError):
        LabelMap.parse(rules)


def test_a_label_that_is_not_there_is_not_renamed(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    with pytest.raises(UsageError, match=r"no label seel\. It has seal"):
        renamed(dataset(store, [page(store, 0, [("seal", 1, 1, 9, 9)])]), LabelMap.parse(["seel=x"]))


@pytest.mark.parametrize(
    "marks", [{"iscrowd": 1}, {"ignore": True}, {"ignore": "yes"}, {"ignore": "1"}, {"flags": {"ignore": True}}]
)
def test_marked_annotations_are_zones_of_which_nothing_is_known(marks: dict[str, object]) -> None:
    assert told_apart([_marked(**marks)]) == ((), (Box(1, 2, 3, 4),))


@pytest.mark.parametrize("marks", [{"iscrowd": 0}, {"ignore": "false"}, {"flags": {"ignore": False}}, {"pose": 1}])
def test_others_are_annotations(marks: dict[str, object]) -> None:
    marked = _marked(**marks)
    assert told_apart([marked]) == ((marked,), ())


def test_what_is_difficult_is_ignored_only_where_that_is_wished_for() -> None:
    marked = _marked(difficult=1)
    assert told_apart([marked]) == ((marked,), ())
    assert told_apart([marked], difficult=True) == ((), (Box(1, 2, 3, 4),))
