"""Pages on their way into a dataset."""

import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import DatasetError, FormatError
from limner.core.settings import Settings
from limner.operations.datasets.gathering import MOST_PROBLEMS, Gathering, Wishes
from limner.operations.datasets.sidecar import Beside
from limner.training.datasets.store import DatasetStore
from tests.operations.datasets.files import drawn
from tests.sources.image_files import encoded, gradient


def _page(name: str, label: str = "seal") -> AnnotatedPage:
    found = Annotation(shape=Box(1, 2, 30, 20), label=label, id="x")
    return AnnotatedPage(Page(id=name, name=name, index=0), (found,))


def _gathering(store: DatasetStore, **wishes: object) -> Gathering:
    return Gathering(store, Settings(), Wishes(**{"name": "d", **wishes}))


def test_pages_are_named_as_files_with_the_suffix_of_what_is_kept(store: DatasetStore) -> None:
    gathering = _gathering(store)
    image = gathering.keep(encoded(gradient(), "TIFF"), "a")
    for name in ("ms 22/f 1.tif", "C:\\scans\\f 1.tif", "con?.TIFF", "f 1.png"):
        gathering.add(_page(name), image, Beside(name))
    names = [page.page.name for page in gathering.finish(format_name="", source="").dataset.pages]
    assert names == ["f 1.jpg", "f 1-2.jpg", "con_.jpg", "f 1-3.jpg"]


def test_labels_keep_the_order_that_they_had(store: DatasetStore) -> None:
    for labels, expected in (
        (("text", "seal"), ("seal", "text")),
        (("text", "blot", "seal"), ("seal", "text", "blot")),
    ):
        gathering = _gathering(store)
        for number, label in enumerate(labels):
            gathering.add(_page(str(number), label), gathering.keep(drawn(number), "a"), Beside(str(number)))
        assert gathering.finish(format_name="", source="").dataset.labels == expected


def test_pages_without_a_split_among_others_are_for_training(store: DatasetStore) -> None:
    gathering = _gathering(store)
    for number, split in enumerate(("train", "val", None)):
        gathering.add(_page(str(number)), gathering.keep(drawn(number), "a"), Beside(str(number)), split)
    done = gathering.finish(format_name="coco", source="")
    assert [page.split for page in done.dataset.pages] == ["train", "val", "train"]
    assert "1 pages are in none" in done.problems[0]


def test_problems_do_not_grow_without_end(store: DatasetStore) -> None:
    gathering = _gathering(store)
    gathering.problems += [f"problem {n}" for n in range(MOST_PROBLEMS + 7)]
    gathering.add(_page("0"), gathering.keep(drawn(0), "a"), Beside("0"))
    done = gathering.finish(format_name="", source="")
    assert len(done.problems) == MOST_PROBLEMS + 1
    assert done.problems[-1] == "And 7 more."


@pytest.mark.parametrize("label", ["half \ud800", "long" * 60])
def test_labels_that_cannot_be_kept_are_refused(store: DatasetStore, label: str) -> None:
    gathering = _gathering(store)
    with pytest.raises(FormatError, match=r"half a character|240 characters"):
        gathering.add(_page("0", label), gathering.keep(drawn(0), "a"), Beside("0"))
    assert gathering.pages == []


def test_no_page_is_no_dataset(store: DatasetStore) -> None:
    gathering = _gathering(store)
    gathering.problems.append("a.png is damaged.")
    with pytest.raises(DatasetError, match=r"No page could be taken in\. a\.png is damaged"):
        gathering.finish(format_name="", source="")
