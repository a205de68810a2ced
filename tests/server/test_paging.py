"""Lists in parts."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from limner.server.deps import PageQuery
from limner.server.paging import part_of


@settings(max_examples=60, deadline=None)
@given(st.sets(st.text(string.ascii_lowercase, min_size=1, max_size=3), max_size=30), st.integers(1, 12))
def test_the_parts_are_the_whole(names: set[str], limit: int) -> None:
    found: list[str] = []
    cursor: str | None = None
    for _ in range(40):
        part = part_of(list(names), PageQuery(limit, cursor), key=str)
        assert len(part.items) <= limit
        found += part.items
        cursor = part.next
        if cursor is None:
            break
    assert found == sorted(names)


def test_a_cursor_whose_item_is_gone_still_finds_its_place() -> None:
    assert part_of(["a", "c"], PageQuery(10, "b"), key=str).items == ["c"]


def test_a_part_that_ends_with_the_list_is_the_last() -> None:
    assert part_of(["a", "b"], PageQuery(2), key=str).next is None
