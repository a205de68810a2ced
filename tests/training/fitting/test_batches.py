from collections import Counter
from itertools import chain

import pytest

from limner.training.fitting.batches import Batches, batches_per_epoch


def test_every_page_is_seen_once_an_epoch_in_an_order_of_its_own() -> None:
    batches = list(Batches(pages=12, size=4, total=6, seed=3))
    assert [len(batch) for batch in batches] == [4] * 6
    first, second = list(chain(*batches[:3])), list(chain(*batches[3:]))
    assert sorted(first) == [(page, 0) for page in range(12)]
    assert sorted(second) == [(page, 1) for page in range(12)]
    assert [page for page, _ in first] != [page for page, _ in second]


def test_a_run_goes_on_where_it_was() -> None:
    whole = list(Batches(pages=10, size=4, total=9, seed=1))
    assert list(Batches(pages=10, size=4, total=9, start=5, seed=1)) == whole[5:]
    assert len(Batches(pages=10, size=4, total=9, start=5)) == 4
    assert whole != list(Batches(pages=10, size=4, total=9, seed=2))


def test_the_last_batch_is_filled_from_its_own_epoch() -> None:
    pages = [page for batch in Batches(pages=5, size=4, total=2) for page in batch]
    counts = Counter(page for page, _ in pages)
    assert set(counts) == set(range(5))
    assert sum(counts.values()) == 8
    assert {epoch for _, epoch in pages} == {0}


@pytest.mark.parametrize(("pages", "size", "many", "wanted"), [(10, 4, 1, 3), (1, 8, 1, 1), (16, 4, 2, 2)])
def test_batches_of_an_epoch(pages: int, size: int, many: int, wanted: int) -> None:
    assert batches_per_epoch(pages, size, many) == wanted


def test_two_processes_share_the_pages() -> None:
    one, other = (list(Batches(pages=16, size=4, total=2, process=at, processes=2)) for at in range(2))
    assert sorted(chain(*one, *other)) == [(page, 0) for page in range(16)]
