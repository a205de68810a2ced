import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.annotation import Annotation, Json
from limner.annotations.formats.reading_order import (
    Level,
    around,
    baseline_of,
    blocks_of,
    is_rtl,
    level_of,
    outline,
    reading_order,
)
from limner.annotations.masks import mask_from_array, polygons_to_array
from limner.annotations.shapes import Box, Mask, Polygon
from tests.annotations.strategies import boxes, masks, polygons


def zone(x: float, y: float, width: float, height: float, name: str = "zone") -> Annotation:
    return Annotation(id=name, shape=Box(x, y, width, height), label="zone")


def line(x: float, y: float, text: str, width: float = 100, height: float = 10) -> Annotation:
    return Annotation(id=text, shape=Box(x, y, width, height), label="line", text=text)


def word(x: float, y: float, text: str, width: float = 20) -> Annotation:
    return Annotation(id=text, shape=Box(x, y, width, 10), label="w", text=text, attributes={"level": "word"})


def texts(*annotations: Annotation) -> list[list[str]]:
    return [[line.text for line in block.lines] for block in blocks_of(annotations)]


@pytest.mark.parametrize(
    ("text", "attributes", "level"),
    [
        (None, {}, Level.ZONE),
        ("a", {}, Level.LINE),
        ("", {}, Level.LINE),
        ("a", {"level": "word"}, Level.WORD),
        ("a", {"level": "zone"}, Level.ZONE),
        (None, {"level": "line"}, Level.LINE),
        ("a", {"level": "paragraph"}, Level.LINE),
        (None, {"level": ["line"]}, Level.ZONE),
    ],
)
def test_the_level_is_the_attribute_or_follows_from_text(text: str | None, attributes: dict[str, Json], level: Level):
    assert level_of(Annotation(shape=Box(0, 0, 1, 1), label="a", text=text, attributes=attributes)) is level


def test_a_line_goes_into_the_smallest_zone_that_holds_its_centre():
    large, small = zone(0, 0, 300, 300, "large"), zone(0, 100, 200, 50, "small")
    blocks = blocks_of([large, small, line(10, 10, "in large"), line(50, 120, "in small"), line(151, 140, "beside")])
    held = {block.zone.id: [line.text for line in block.lines] for block in blocks if block.zone}
    assert held == {"large": ["in large", "beside"], "small": ["in small"]}


def test_lines_outside_all_zones_stand_together_where_they_follow_each_other():
    blocks = blocks_of([zone(0, 100, 100, 50), line(0, 0, "a"), line(0, 20, "b"), line(0, 200, "c")])
    assert [(block.zone is None, [line.text for line in block.lines]) for block in blocks] == [
        (True, ["a", "b"]),
        (False, []),
        (True, ["c"]),
    ]
    assert blocks[0].bounds == Box(0, 0, 100, 30)


def test_words_go_into_lines_and_those_left_over_make_lines_of_their_own():
    (block,) = blocks_of([line(0, 0, "a b"), word(30, 0, "b"), word(0, 0, "a"), word(30, 50, "d"), word(0, 51, "c")])
    assert [[each.text for each in line.words] for line in block.lines] == [["a", "b"], ["c", "d"]]
    assert [line.annotation is None for line in block.lines] == [False, True]
    assert block.lines[1].text == "c d"
    assert block.lines[1].bounds == Box(0, 50, 50, 11)


def test_words_of_arabic_and_hebrew_go_from_right_to_left():
    assert texts(word(0, 0, "עולם"), word(30, 0, "שלום")) == [["שלום עולם"]]


@pytest.mark.parametrize("gap", [4, 2, 20])
def test_two_columns_between_a_heading_and_a_footer_are_read_one_after_the_other(gap: float):
    heading, footer = line(0, 10 - gap, "heading", width=230), line(0, 66 + gap, "footer", width=230)
    left = [line(0, 20 + 12 * i, f"left {i}") for i in range(4)]
    right = [line(130, 20 + 12 * i, f"right {i}") for i in range(3)]
    ((*read,),) = texts(*right, *left, footer, heading)
    assert read == ["heading", *(each.text for each in (*left, *right)), "footer"]


def test_a_break_that_is_wider_than_the_gap_between_columns_parts_them():
    boxes = [Box(x, y, 100, 100) for y in (0, 200) for x in (0, 150)]
    assert reading_order(boxes) == [0, 1, 2, 3]
    assert reading_order([Box(x, y, 100, 100) for y in (0, 120) for x in (0, 150)]) == [0, 2, 1, 3]


def test_columns_of_a_text_from_right_to_left_begin_on_the_right():
    left, right = line(0, 0, "עולם"), line(130, 0, "שלום")
    assert texts(left, right) == [["שלום", "עולם"]]


def test_numbers_stay_with_their_items():
    items = [line(12, 14 * i, f"item {i}") for i in range(3)]
    numbers = [line(0, 14 * i, f"{i}.", width=6) for i in range(3)]
    assert texts(*items, *numbers) == [["0.", "item 0", "1.", "item 1", "2.", "item 2"]]


def test_lines_that_reach_into_each_other_a_little_are_still_above_and_below():
    lines = [line(60 * (i % 2), 8.5 * i, str(i)) for i in range(4)]
    assert texts(*reversed(lines)) == [["0", "1", "2", "3"]]


@given(st.lists(boxes(), max_size=12), st.booleans(), st.floats(0, 20))
def test_every_box_is_in_the_order_once(found: list[Box], leftwards: bool, height: float):
    order = reading_order(found, text_height=height, leftwards=leftwards)
    assert sorted(order) == list(range(len(found)))


@given(st.lists(boxes(), min_size=1, max_size=8), st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_input(found: list[Box], random):
    unique = list(dict.fromkeys(found))
    shuffled = random.sample(unique, len(unique))
    centres = [(box.x, box.y + box.height / 2) for box in unique]
    if len(set(centres)) == len(centres):
        assert [unique[i] for i in reading_order(unique)] == [shuffled[i] for i in reading_order(shuffled)]


def test_a_long_page_does_not_overflow_the_stack():
    found = [Box(0, 12 * i, 10, 10 - i / 1000) for i in range(1500)]
    assert reading_order(found) == list(range(1500))


@pytest.mark.parametrize(
    ("text", "expected"), [("abc", False), ("שלום", True), ("العربية 12", True), ("ab שלום cde", False), ("", False)]
)
def test_the_direction_is_that_of_most_letters(text: str, expected: bool):
    assert is_rtl(text) is expected


@pytest.mark.parametrize(
    ("value", "points"),
    [
        ([[0, 1], [2, 3.5]], ((0, 1), (2, 3.5))),
        ([[0, 1]], ()),
        ([[0, 1], [2]], ()),
        ([[0, 1], ["2", 3]], ()),
        ("0,1 2,3", ()),
        (None, ()),
    ],
)
def test_a_baseline_is_at_least_two_points(value: Json, points: tuple):
    assert baseline_of(Annotation(shape=Box(0, 0, 1, 1), label="a", attributes={"baseline": value})) == points


@given(polygons(holes=True))
def test_the_outline_of_a_polygon_leaves_out_its_holes(polygon: Polygon):
    assert outline(polygon) == Polygon(polygon.exterior)


@given(masks())
def test_the_outline_of_a_mask_is_as_large_as_the_mask(mask: Mask):
    edges = zip(outline(mask).bounds.corners, mask.bounds.corners, strict=True)
    assert all(abs(one - other) <= 1 for one, other in edges)


def test_the_outline_of_a_mask_in_two_parts_wraps_both():
    inside = polygons_to_array(
        [Polygon(((0, 0), (10, 0), (10, 10), (0, 10))), Polygon(((80, 80), (90, 80), (90, 90), (80, 90)))], 100, 100
    )
    assert outline(mask_from_array(inside)).bounds == Box(0, 0, 90, 90)


def test_the_box_around_boxes():
    assert around([Box(5, 5, 1, 1), Box(0, 7, 2, 9)]) == Box(0, 5, 6, 11)
