import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.masks import mask_to_array
from limner.annotations.shapes import Box, Mask, Polygon, ring_area, ring_bounds
from limner.core.errors import ShapeError
from tests.annotations.strategies import boxes, masks, polygons

SQUARE = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0))
HOLE = ((1.0, 1.0), (1.0, 2.0), (3.0, 2.0), (3.0, 1.0))
factors = st.integers(1, 64).map(lambda n: n / 8)
shifts = st.integers(-800, 800).map(lambda n: n / 8)


class TestBox:
    def test_edges_corners_and_area(self) -> None:
        box = Box(1, 2, 3, 4)
        assert (box.x2, box.y2, box.area, box.corners) == (4, 6, 12, (1, 2, 4, 6))
        assert box.bounds is box

    @pytest.mark.parametrize("corners", [(1, 2, 4, 6), (4, 6, 1, 2), (4, 2, 1, 6)])
    def test_corners_may_come_in_any_order(self, corners: tuple[float, ...]) -> None:
        assert Box.from_corners(*corners) == Box(1, 2, 3, 4)

    @pytest.mark.parametrize("size", [(0, 1), (1, 0), (-1, 1)])
    def test_one_without_area_is_refused(self, size: tuple[float, float]) -> None:
        with pytest.raises(ShapeError, match="no area"):
            Box(1, 2, *size)

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("place", range(4))
    def test_one_with_a_number_that_is_not_finite_is_refused(self, bad: float, place: int) -> None:
        values = [1.0, 2.0, 3.0, 4.0]
        values[place] = bad
        with pytest.raises(ShapeError, match="finite"):
            Box(*values)

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(FrozenInstanceError):
            Box(1, 2, 3, 4).x = 5

    def test_boxes_that_only_touch_share_nothing(self) -> None:
        assert Box(0, 0, 2, 2).intersection(Box(2, 0, 2, 2)) is None
        assert Box(0, 0, 2, 2).iou(Box(2, 0, 2, 2)) == 0

    def test_iou_of_a_quarter_shared(self) -> None:
        assert Box(0, 0, 2, 2).intersection(Box(1, 1, 2, 2)) == Box(1, 1, 1, 1)
        assert Box(0, 0, 2, 2).iou(Box(1, 1, 2, 2)) == pytest.approx(1 / 7)

    @given(boxes(), boxes())
    def test_iou_is_the_same_both_ways_and_1_only_for_the_same(self, one: Box, other: Box) -> None:
        assert one.iou(other) == other.iou(one)
        assert 0 <= one.iou(other) <= 1
        assert (one.iou(other) == 1) == (one == other)

    @given(boxes(), factors, factors, shifts, shifts)
    def test_moving_and_scaling_keep_to_the_corners(self, box: Box, sx: float, sy: float, dx: float, dy: float) -> None:
        moved = box.scaled(sx, sy).translated(dx, dy)
        x1, y1, x2, y2 = box.corners
        assert moved.corners == (x1 * sx + dx, y1 * sy + dy, x2 * sx + dx, y2 * sy + dy)
        assert moved.area == pytest.approx(box.area * sx * sy)


class TestPolygon:
    def test_the_area_is_without_holes_whatever_their_direction(self) -> None:
        assert Polygon(SQUARE, (HOLE,)).area == 14
        assert Polygon(SQUARE[::-1], (HOLE,)).area == 14
        assert Polygon(SQUARE, (HOLE[::-1],)).area == 14

    def test_a_repeated_first_point_is_left_out(self) -> None:
        assert Polygon((*SQUARE, SQUARE[0])) == Polygon(SQUARE)
        assert Polygon(SQUARE, ((*HOLE, HOLE[0], HOLE[0]),)) == Polygon(SQUARE, (HOLE,))

    def test_lists_of_numbers_become_tuples_of_floats(self) -> None:
        polygon = Polygon([[0, 0], [4, 0], [4, 4], [0, 4]])
        assert polygon == Polygon(SQUARE)
        assert hash(polygon) == hash(Polygon(SQUARE))

    @pytest.mark.parametrize(
        ("ring", "reason"),
        [
            (((0, 0), (1, 1)), "three"),
            (((0, 0), (1, 1), (0, 0)), "three"),
            (((1, 1), (0, 0), (1, 1), (1, 1)), "three"),
            (((0, 0), (0, 1), (0, 2)), "no area"),
            (((0, 0), (1, 2), (3, 6), (0, 0), (2, 4)), "no area"),
            (((0, 0), (1, 0), (math.nan, 2)), "finite"),
            (((0, 0), (1, 0), (math.inf, 2)), "finite"),
        ],
    )
    def test_an_impossible_ring_is_refused_as_line_and_as_hole(self, ring: tuple, reason: str) -> None:
        with pytest.raises(ShapeError, match=f"^A polygon.*{reason}"):
            Polygon(ring)
        with pytest.raises(ShapeError, match=f"^A hole.*{reason}"):
            Polygon(SQUARE, (ring,))

    def test_rings_are_the_outer_line_and_the_holes(self) -> None:
        assert Polygon(SQUARE, (HOLE,)).rings == (SQUARE, HOLE)

    @given(polygons(holes=True), factors, factors, shifts, shifts)
    def test_moving_and_scaling_move_holes_too(
        self, polygon: Polygon, sx: float, sy: float, dx: float, dy: float
    ) -> None:
        moved = polygon.scaled(sx, sy).translated(dx, dy)
        assert moved.area == pytest.approx(polygon.area * sx * sy)
        assert moved.bounds == polygon.bounds.scaled(sx, sy).translated(dx, dy)
        assert len(moved.holes) == len(polygon.holes)


def test_a_ring_is_positive_when_clockwise_on_screen() -> None:
    assert ring_area(SQUARE) == 16
    assert ring_area(SQUARE[::-1]) == -16
    assert ring_bounds(HOLE) == (1, 1, 3, 2)


class TestMask:
    @given(masks(40, 30))
    def test_area_and_bounds_are_those_of_its_pixels(self, mask: Mask) -> None:
        rows, columns = np.nonzero(mask_to_array(mask))
        assert mask.area == len(rows)
        assert mask.bounds == Box.from_corners(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)

    def test_empty_runs_do_not_disturb_the_bounds(self) -> None:
        assert Mask(2, 3, (0, 0, 3, 2, 1, 0)).bounds == Box(1, 0, 1, 2)

    @pytest.mark.parametrize(
        ("size", "counts", "reason"),
        [
            ((2, 2), (1, 2), "add up to 3"),
            ((2, 2), (5, -1), "add up to 4"),
            ((2, 2), (4,), "no pixel"),
            ((0, 2), (0,), "size of its image"),
        ],
    )
    def test_impossible_run_lengths_are_refused(
        self, size: tuple[int, int], counts: tuple[int, ...], reason: str
    ) -> None:
        with pytest.raises(ShapeError, match=reason):
            Mask(*size, counts)
