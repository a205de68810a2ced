import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box, Polygon
from limner.core.errors import ShapeError
from tests.annotations.strategies import boxes, canvases, polygons


def page(canvas: Canvas | None = None, width: int = 100, height: int = 80) -> Page:
    return Page(id="p", name="p.jpg", index=0, width=width, height=height, canvas=canvas)


def test_a_canvas_twice_as_large_doubles_every_coordinate() -> None:
    doubled = page(Canvas("c", 200, 160))
    assert doubled.to_canvas(Box(1, 2, 3, 4)) == Box(2, 4, 6, 8)
    assert doubled.to_image(Box(2, 4, 6, 8)) == Box(1, 2, 3, 4)


def test_an_image_painted_on_a_part_is_moved_there() -> None:
    right_half = page(Canvas("c", 400, 80, Box(200, 0, 200, 80)))
    assert right_half.to_canvas(Box(10, 10, 50, 20)) == Box(220, 10, 100, 20)
    assert right_half.to_image(Box(220, 10, 100, 20)) == Box(10, 10, 50, 20)


def test_the_whole_image_covers_what_is_painted() -> None:
    canvas = Canvas("c", 33, 77, Box(3, 7, 11, 13))
    corners = page(canvas).to_canvas(Box(0, 0, 100, 80)).corners
    assert corners == pytest.approx(canvas.painted.corners)
    assert Canvas("c", 33, 77).painted == Box(0, 0, 33, 77)


@given(canvases(), boxes(100, 80))
def test_there_and_back_is_the_same_box(canvas: Canvas, box: Box) -> None:
    there = page(canvas).to_canvas(box)
    assert page(canvas).to_image(there).corners == pytest.approx(box.corners, abs=1e-6)


@given(canvases(), polygons(80, 80, holes=True))
def test_there_and_back_is_the_same_polygon(canvas: Canvas, polygon: Polygon) -> None:
    back = page(canvas).to_image(page(canvas).to_canvas(polygon))
    for before, after in zip(polygon.rings, back.rings, strict=True):
        assert [value for point in after for value in point] == pytest.approx(
            [value for point in before for value in point], abs=1e-6
        )


def test_without_a_canvas_nothing_changes() -> None:
    box = Box(1, 2, 3, 4)
    assert page().to_canvas(box) is box
    assert page(width=0, height=0).to_image(box) is box


def test_without_the_image_size_a_canvas_cannot_be_reckoned_with() -> None:
    unsized = page(Canvas("c", 10, 10), width=0, height=0)
    assert not unsized.sized
    for reckon in (unsized.to_canvas, unsized.to_image):
        with pytest.raises(ShapeError, match=r"size of p\.jpg is not known"):
            reckon(Box(1, 2, 3, 4))


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0), (-1, 1)])
def test_a_canvas_without_area_is_refused(width: float, height: float) -> None:
    with pytest.raises(ShapeError, match="canvas c has no area"):
        Canvas("c", width, height)


@given(st.sampled_from([{"id": ""}, {"name": ""}, {"index": -1}, {"width": -1}, {"height": -1}]))
def test_an_impossible_page_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match="page"):
        Page(**({"id": "p", "name": "p.jpg", "index": 0} | change))
