"""Lines that fill their measure."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.operations.samples.typesetting import Face, set_paragraph

FACE = Face("roman", 24)
TEXT = (
    "Le présent livre ras|semble ce que les voya|geurs, les jar|diniers et les géo|mètres nous ont laissé de plus "
    "utile~; on y trou|vera la mesure du ciel et celle des champs, les herbes qui gué|rissent et les ports."
)
PLAIN = TEXT.replace("|", "").replace("~", " ")


def column(left=0.0, width=420.0):
    return lambda _number: (left, width)


def right_edge(line):
    return line.places[-1] + FACE.width(line.words[-1])


def test_all_lines_but_the_last_fill_the_measure():
    *full, last = set_paragraph(TEXT, FACE, column())
    assert len(full) > 3
    assert all(right_edge(line) == pytest.approx(420) for line in full)
    assert right_edge(last) < 420
    assert {line.places[0] for line in (*full, last)} == {0}


def test_nothing_of_the_text_is_lost():
    joined = " ".join(line.text for line in set_paragraph(TEXT, FACE, column()))
    assert joined.replace("- ", "") == PLAIN


def test_words_are_divided_only_where_they_may_be():
    lines = set_paragraph(TEXT, FACE, column(width=230))
    parts = [line.words[-1][:-1] for line in lines if line.words[-1].endswith("-")]
    assert parts
    assert all(f"{part}|" in TEXT for part in parts)


def test_a_fixed_space_is_not_broken():
    for width in range(200, 500, 20):
        assert not any(line.text.startswith(";") for line in set_paragraph(TEXT, FACE, column(width=width)))


def test_ragged_lines_keep_their_spaces():
    lines = set_paragraph(TEXT, FACE, column(), ragged=True)
    space = FACE.width(" ")
    for line in lines:
        ends = [place + FACE.width(word) for place, word in zip(line.places, line.words, strict=True)]
        gaps = [start - end for start, end in zip(line.places[1:], ends, strict=False)]
        assert max(gaps, default=0) <= space + 1e-6
        assert right_edge(line) <= 420 + 1e-6


def test_lines_beside_an_initial_are_shorter():
    lines = set_paragraph(TEXT, FACE, lambda number: (120.0, 300.0) if number < 2 else (0.0, 420.0))
    assert [line.places[0] for line in lines[:4]] == [120, 120, 0, 0]
    assert right_edge(lines[0]) == pytest.approx(420)


def test_a_word_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match="cannot be set"):
        set_paragraph("anticonstitutionnellement", FACE, column(width=100))


def test_spaced_letters_take_more_room():
    assert Face("roman", 24, 5).width("LIVRE") == pytest.approx(FACE.width("LIVRE") + 20)
    assert Face("roman", 24, 5).extent("LIVRE")[2] == pytest.approx(FACE.extent("LIVRE")[2] + 20)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["le", "livre", "des", "figures", "géo|mètres", "et", "a"]), min_size=1, max_size=40))
def test_lines_never_leave_their_measure(words):
    for line in set_paragraph(" ".join(words), FACE, column(width=260)):
        assert right_edge(line) <= 260 + 1e-6
        assert list(line.places) == sorted(line.places)
