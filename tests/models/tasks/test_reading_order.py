"""Columns, headings, page numbers, initials: the lines come in the order in which people read them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.annotations.shapes import Box
from limner.models.tasks.reading_order import reading_order


def lines(x: float, y: float, width: float, count: int, height: float = 20, leading: float = 28) -> list[Box]:
    """A paragraph."""
    return [Box(x, y + number * leading, width, height) for number in range(count)]


def is_read(expected: list[Box], seed: int = 0) -> bool:
    """Whether these boxes, given in any order, come out in this one."""
    shuffled = random.Random(seed).sample(expected, len(expected))
    got = [shuffled[at] for at in reading_order(shuffled)]
    return got == expected


def test_nothing_and_one_line():
    assert reading_order([]) == []
    assert reading_order([Box(3, 4, 10, 10)]) == [0]


def test_a_paragraph_is_read_downwards():
    assert is_read(lines(100, 100, 800, 30))


def test_lines_whose_boxes_overlap_a_little_are_still_read_downwards():
    assert is_read(lines(100, 100, 800, 12, height=34, leading=28))


def test_columns_are_read_one_after_the_other():
    left, right = lines(100, 300, 380, 20), lines(520, 300, 380, 20)
    assert is_read([*left, *right])


@pytest.mark.parametrize("shift", [-9, 5, 14])
def test_columns_need_not_be_on_the_same_lines(shift):
    assert is_read([*lines(100, 300, 380, 20), *lines(520, 300 + shift, 380, 18)])


def test_a_heading_and_a_footer_span_two_columns():
    heading, footer = Box(200, 100, 600, 40), Box(150, 1000, 700, 20)
    columns = [*lines(100, 200, 380, 20), *lines(520, 200, 380, 20)]
    assert is_read([heading, *columns, footer])


def test_a_heading_between_two_pairs_of_columns_separates_them():
    upper = [*lines(100, 100, 380, 6), *lines(520, 100, 380, 6)]
    lower = [*lines(100, 400, 380, 6), *lines(520, 400, 380, 6)]
    assert is_read([*upper, Box(100, 320, 800, 24), *lower])


def test_paragraphs_of_two_columns_with_gaps_at_different_heights():
    left = [*lines(100, 100, 380, 5), *lines(100, 320, 380, 10)]
    right = [*lines(520, 100, 380, 9), *lines(520, 420, 380, 6)]
    assert is_read([*left, *right])


def test_three_columns():
    assert is_read([line for x in (50, 350, 650) for line in lines(x, 80, 250, 15)])


def test_the_parts_of_one_line_come_from_left_to_right():
    above, parts, below = (
        lines(100, 100, 800, 3),
        [Box(100, 184, 300, 20), Box(600, 186, 300, 20)],
        Box(100, 212, 800, 20),
    )
    assert is_read([*above, *parts, below])


def test_a_date_at_the_right_is_read_before_the_greeting_below():
    assert is_read([Box(600, 100, 300, 20), Box(100, 150, 200, 20), *lines(100, 200, 800, 8)])


def test_a_page_number_beside_the_running_title_comes_right_after_it():
    title, number = Box(300, 60, 300, 20), Box(860, 58, 30, 20)
    assert is_read([title, number, *lines(100, 100, 800, 20)])


def test_a_page_number_beside_a_running_title_that_is_close_to_the_text():
    title, number = Box(200, 72, 500, 20), Box(860, 71, 30, 20)
    assert is_read([title, number, *lines(100, 100, 800, 20)])


def test_an_initial_comes_before_the_lines_beside_it():
    initial, beside = Box(100, 100, 76, 76), lines(190, 100, 710, 3)
    assert is_read([initial, *beside, *lines(100, 184, 800, 9)])


def test_notes_in_the_margins_stand_before_or_after_the_text():
    left, text, right = lines(20, 200, 90, 4, 14, 18), lines(140, 100, 600, 20), lines(770, 300, 100, 5, 14, 18)
    assert is_read([*left, *text, *right])


def test_columns_of_lines_far_apart():
    assert is_read([line for x in (100, 520) for line in lines(x, 80, 380, 10, leading=70)])


@pytest.mark.parametrize("leading", [26, 56])
def test_a_table_is_read_by_its_rows(leading):
    table = [Box(x, 100 + row * leading, 90, 22) for row in range(8) for x in (100, 300, 500)]
    assert is_read([Box(150, 40, 400, 30), *table, *lines(100, 600, 600, 6)])


def test_a_page_in_all():
    page = [
        Box(300, 40, 300, 18),
        Box(850, 40, 30, 18),
        Box(200, 90, 600, 44),
        *lines(100, 180, 380, 18),
        *lines(520, 180, 380, 14),
        Box(450, 720, 100, 18),
    ]
    assert all(is_read(page, seed) for seed in range(5))


BOXES = st.builds(Box, *[st.integers(0, 1000)] * 2, *[st.integers(1, 300)] * 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(BOXES, max_size=30))
def test_whatever_the_boxes_each_comes_once(boxes):
    assert sorted(reading_order(boxes)) == list(range(len(boxes)))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.3, 4), st.integers(0, 99))
def test_columns_of_any_length_and_scale(one, other, scale, seed):
    boxes = [*lines(100, 100, 380, one), *lines(520, 100, 380, other)]
    assert is_read([box.scaled(scale, scale) for box in boxes], seed)
