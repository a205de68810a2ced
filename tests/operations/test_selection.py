"""Page selections."""

import pytest

from limner.core.errors import UsageError
from limner.operations.selection import PageSelection


def _chosen(text: str) -> list[int]:
    selection = PageSelection.parse(text)
    return [number for number in range(1, 21) if number in selection]


def test_ranges_and_single_pages() -> None:
    assert _chosen("1-3,15") == [1, 2, 3, 15]


def test_an_open_range_goes_to_the_end() -> None:
    assert _chosen("18-") == [18, 19, 20]


def test_spaces_do_not_matter() -> None:
    assert _chosen(" 2 - 3 , 5") == [2, 3, 5]


def test_it_is_written_as_it_was_read() -> None:
    assert str(PageSelection.parse("1-10,15,20-")) == "1-10,15,20-"


@pytest.mark.parametrize("text", ["", "a", "1-2-3", "-4", "0", "5-3", "1,,2"])
def test_what_is_no_selection_is_named(text: str) -> None:
    with pytest.raises(UsageError):
        PageSelection.parse(text)
