from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.annotations.annotation import Annotation
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import UsageError
from limner.training.datasets.dataset import DatasetPage
from limner.training.datasets.splits import Shares, assign
from tests.training.datasets.made import a_store, page


def _pages(folder: Path) -> list[DatasetPage]:
    """60 pages of 20 documents; a rare label stands on one page of every fourth document."""
    store = a_store(folder)
    return [
        page(
            store,
            number,
            [("text", 1, 1, 40, 20), *([("stamp", 50, 5, 9, 9)] if number % 12 == 0 else [])],
            document=f"d{number // 3}",
        )
        for number in range(60)
    ]


def test_documents_stay_together_and_labels_are_spread(tmp_path: Path) -> None:
    pages = assign(_pages(tmp_path), Shares(0.6, 0.2, 0.2))
    splits: dict[str, set[str]] = {}
    for each in pages:
        splits.setdefault(each.document, set()).add(each.split)
    assert all(len(found) == 1 for found in splits.values())
    counts = Counter((each.split, annotation.label) for each in pages for annotation in each.annotations)
    assert counts["train", "text"] == 36
    assert (counts["train", "stamp"], counts["val", "stamp"], counts["test", "stamp"]) == (3, 1, 1)


def test_the_same_seed_gives_the_same_splits(tmp_path: Path) -> None:
    pages = _pages(tmp_path)
    assert assign(pages, Shares(), 1) == assign(pages, Shares(), 1)
    assert assign(pages, Shares(), 1) != assign(pages, Shares(), 2)


def test_a_share_of_nothing_gets_nothing(tmp_path: Path) -> None:
    pages = assign(_pages(tmp_path), Shares(1, 0.25, 0))
    assert Counter(each.split for each in pages) == {"train": 48, "val": 12}


@pytest.mark.parametrize("shares", [(0, 1, 1), (-1, 1, 1), (1, -0.1, 0)])
def test_impossible_shares_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError, match="above 0"):
        Shares(*shares)


@given(
    documents=st.lists(st.integers(min_value=0, max_value=12), min_size=1, max_size=60),
    shares=st.tuples(st.floats(0.1, 1), st.floats(0, 1), st.floats(0, 1)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_no_document_is_ever_torn_and_no_page_lost(
    documents: list[int], shares: tuple[float, float, float], seed: int
) -> None:
    made = [
        DatasetPage(
            page=Page(id=str(n), name=f"{n}.png", index=n, width=9, height=9),
            annotations=tuple(Annotation(shape=Box(1, 1, 2, 2), label="ab"[n % 2], id=str(i)) for i in range(n % 3)),
            document=str(document),
            split="train",
            image=f"{n}.png",
        )
        for n, document in enumerate(documents)
    ]
    found = assign(made, Shares(*shares), seed)
    assert [each.page for each in found] == [each.page for each in made]
    splits: dict[str, set[str]] = {}
    for each in found:
        splits.setdefault(each.document, set()).add(each.split)
    assert all(len(names) == 1 for names in splits.values())
    wanted = Shares(*shares).fractions
    assert {each.split for each in found} <= set(wanted)
