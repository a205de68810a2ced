"""The measure of the OCR benchmark measures what it says."""

from __future__ import annotations

from functools import lru_cache

import pytest
from benchmarks.ocr import Tally, aligned, drawn_page, has_accent
from hypothesis import given, settings
from hypothesis import strategies as st

WORDS = st.text(alphabet="abé ’", max_size=7)


def levenshtein(one: str, other: str) -> int:
    """By the definition."""

    @lru_cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(
            distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (one[i - 1] != other[j - 1])
        )

    return distance(len(one), len(other))


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS)
def test_the_alignment_is_a_shortest_one(one, other):
    pairs = aligned(one, other)
    assert "".join(a for a, _ in pairs) == one
    assert "".join(b for _, b in pairs) == other
    assert sum(a != b for a, b in pairs) == levenshtein(one, other)


def test_a_tally_counts_letters_and_accents():
    tally = Tally()
    tally.add("l’été", "l'éte")
    assert tally.cer == pytest.approx(2 / 5)
    assert tally.accents_right == 1 / 2
    assert tally.mistakes == {("’", "'"): 1, ("é", "e"): 1}


def test_accents():
    assert all(map(has_accent, "éçœÀ"))
    assert not any(map(has_accent, "ec’« 1"))


@pytest.mark.parametrize("columns", [1, 2])
def test_pages_hold_their_lines(columns):
    page = drawn_page("fr", "Caladea", 28, 1, columns)
    assert page.image.getpixel((0, 0)) == (243, 232, 206)
    assert not any(line.startswith((";", "»", "?")) for line in page.lines)
    assert any("œ" in line for line in page.lines)
