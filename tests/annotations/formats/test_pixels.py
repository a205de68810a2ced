import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from limner.annotations.formats.pixels import cut_to_page, pixel_box
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from tests.annotations.strategies import boxes

PAGE = Page(id="1", name="1.jpg", index=0, width=100, height=80)
UNSIZED = Page(id="1", name="1.jpg", index=0)


@pytest.mark.parametrize(
    ("box", "edges"),
    [
        (Box(10, 20, 30, 40), (10, 20, 40, 60)),
        (Box(10.4, 20.5, 30, 40), (10, 21, 40, 61)),
        (Box(-5, -5, 20, 20), (0, 0, 15, 15)),
        (Box(90, 70, 30, 40), (90, 70, 100, 80)),
        (Box(10.1, 20.1, 0.2, 0.2), (10, 20, 11, 21)),
        (Box(99.9, 79.9, 0.05, 5), (99, 79, 100, 80)),
        (Box(120, 10, 5, 5), None),
        (Box(-20, 10, 20, 5), None),
    ],
)
def test_edges_go_to_the_nearest_lines_between_pixels_of_the_page(box: Box, edges: tuple[int, ...] | None) -> None:
    assert pixel_box(box, PAGE) == edges


def test_without_a_size_nothing_is_cut_off_at_the_far_edges() -> None:
    assert pixel_box(Box(-1, 5000, 9000, 10), UNSIZED) == (0, 5000, 8999, 5010)
    assert cut_to_page(Box(-1, 5000, 9000, 10), UNSIZED) == Box(-1, 5000, 9000, 10)


@given(boxes(100, 80))
@example(Box(0.5, 0.0, 0.125, 0.125))
def test_no_edge_moves_by_more_than_a_half_but_to_keep_a_pixel(box: Box) -> None:
    left, top, right, bottom = pixel_box(box, PAGE)
    assert 0 <= left < right <= 100
    assert 0 <= top < bottom <= 80
    assert abs(left - box.x) <= 1
    assert abs(right - box.x2) <= (0.5 if box.width >= 1 else 1)


@given(st.floats(-50, 150), st.floats(-50, 150), st.floats(1, 200))
def test_what_is_left_of_a_box_lies_on_the_page(x: float, y: float, side: float) -> None:
    left = cut_to_page(Box(x, y, side, side), PAGE)
    assert left is None or (left.x >= 0 and left.y >= 0 and left.x2 <= 100.0001 and left.y2 <= 80.0001)
