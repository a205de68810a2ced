import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from limner.annotations.masks import (
    array_to_polygons,
    mask_from_array,
    mask_from_string,
    mask_to_array,
    mask_to_polygons,
    mask_to_string,
    polygons_to_array,
    shape_to_array,
    shape_to_polygons,
    simplified,
)
from limner.annotations.shapes import Box, Mask, Polygon
from limner.core.errors import ShapeError
from tests.annotations.strategies import boxes, masks, polygons

#: Small arrays of noise: pixels that meet at corners, holes in holes, pixels at every edge.
noise = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda size: arrays(bool, size)).filter(np.any)
bits = noise | masks(60, 40).map(mask_to_array)


def theirs(inside: np.ndarray) -> dict:
    return coco_mask.encode(np.asfortranarray(inside.astype(np.uint8)))


@given(bits)
def test_an_array_comes_back(inside: np.ndarray) -> None:
    mask = mask_from_array(inside)
    assert (mask.height, mask.width) == inside.shape
    assert (mask_to_array(mask) == inside).all()


@given(bits)
def test_the_short_form_is_that_of_pycocotools(inside: np.ndarray) -> None:
    mask = mask_from_array(inside)
    encoded = theirs(inside)
    assert mask_to_string(mask) == encoded["counts"].decode("ascii")
    assert encoded["size"] == [mask.height, mask.width]
    assert mask_from_string(mask_to_string(mask), mask.width, mask.height) == mask
    assert coco_mask.area(encoded) == mask.area
    assert coco_mask.toBbox(encoded).tolist() == [mask.bounds.x, mask.bounds.y, mask.bounds.width, mask.bounds.height]


def test_long_runs_need_several_characters() -> None:
    inside = np.zeros((3000, 2000), dtype=bool)
    inside[5:2990, 3:1995] = True
    inside[100:200, 50:60] = False
    mask = mask_from_array(inside)
    assert mask_to_string(mask) == theirs(inside)["counts"].decode("ascii")
    assert mask_from_string(mask_to_string(mask), 2000, 3000) == mask


@pytest.mark.parametrize("text", ["", "é", "0\n0", "P", "00000", "nonsense"])
def test_a_damaged_short_form_is_refused(text: str) -> None:
    with pytest.raises(ShapeError):
        mask_from_string(text, 3, 2)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12))
def test_whatever_the_short_form_no_other_error_comes(text: str) -> None:
    try:
        mask = mask_from_string(text, 3, 2)
    except ShapeError:
        return
    assert mask.area <= 6


@given(bits)
def test_polygons_of_a_mask_make_the_same_mask(inside: np.ndarray) -> None:
    mask = mask_from_array(inside)
    outlines = mask_to_polygons(mask)
    assert (polygons_to_array(outlines, mask.width, mask.height) == inside).all()
    assert sum(polygon.area for polygon in outlines) == mask.area


@given(bits)
def test_there_is_a_polygon_for_each_part_and_a_hole_for_each_gap(inside: np.ndarray) -> None:
    outlines = array_to_polygons(inside)
    parts = [polygons_to_array((polygon,), inside.shape[1], inside.shape[0]) for polygon in outlines]
    # No pixel is in two parts, and no part touches another along an edge.
    assert (np.sum(parts, axis=0) == inside).all()
    for number, part in enumerate(parts):
        grown = part.copy()
        grown[1:] |= part[:-1]
        grown[:-1] |= part[1:]
        grown[:, 1:] |= part[:, :-1]
        grown[:, :-1] |= part[:, 1:]
        assert not any((grown & other).any() for other in parts[number + 1 :])


def test_a_ring_around_a_dot_is_a_polygon_with_a_hole_and_another_in_it() -> None:
    inside = np.ones((5, 5), dtype=bool)
    inside[1:4, 1:4] = False
    inside[2, 2] = True
    ring, dot = sorted(array_to_polygons(inside), key=lambda polygon: -polygon.area)
    assert set(ring.exterior) == {(0, 0), (5, 0), (5, 5), (0, 5)}
    assert [set(hole) for hole in ring.holes] == [{(1, 1), (4, 1), (4, 4), (1, 4)}]
    assert set(dot.exterior) == {(2, 2), (3, 2), (3, 3), (2, 3)}


def test_pixels_that_meet_at_a_corner_are_two_parts() -> None:
    assert len(array_to_polygons(np.eye(2, dtype=bool))) == 2
    assert len(array_to_polygons(np.eye(2, dtype=bool)[::-1])) == 2


@given(boxes(50, 40, whole=True))
def test_a_box_of_whole_pixels_covers_them(box: Box) -> None:
    inside = shape_to_array(box, 50, 40)
    assert inside[int(box.y) : int(box.y2), int(box.x) : int(box.x2)].all()
    assert np.count_nonzero(inside) == box.area


@given(polygons(60, 60, holes=True))
def test_a_pixel_belongs_to_a_polygon_when_its_centre_does(polygon: Polygon) -> None:
    inside = polygons_to_array((polygon,), 60, 60)

    def crossings(x: float, y: float) -> int:
        count = 0
        for ring in polygon.rings:
            for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True):
                if (y1 <= y) != (y2 <= y) and x1 + (y - y1) * (x2 - x1) / (y2 - y1) <= x:
                    count += 1
        return count

    for row in range(0, 60, 7):
        for column in range(0, 60, 5):
            assert inside[row, column] == (crossings(column + 0.5, row + 0.5) % 2 == 1)


def test_what_sticks_out_of_the_image_is_cut_off() -> None:
    assert shape_to_array(Box(-5, -5, 100, 100), 4, 3).all()
    assert not shape_to_array(Box(10, 10, 5, 5), 4, 3).any()


@given(masks(20, 10) | boxes(20, 10) | polygons(20, 10))
def test_any_shape_is_polygons_with_its_bounds(shape: Box | Polygon | Mask) -> None:
    corners = [polygon.bounds.corners for polygon in shape_to_polygons(shape)]
    left, top, right, bottom = zip(*corners, strict=True)
    assert (min(left), min(top), max(right), max(bottom)) == shape.bounds.corners


def test_a_mask_of_another_image_is_refused() -> None:
    with pytest.raises(ShapeError, match="4 × 3, not for one of 3 × 4"):
        shape_to_array(mask_from_array(np.ones((3, 4), dtype=bool)), 3, 4)


def test_an_array_with_channels_is_refused() -> None:
    with pytest.raises(ShapeError, match="height × width"):
        mask_from_array(np.ones((3, 4, 3)))
    with pytest.raises(ShapeError):
        mask_from_array(np.zeros((3, 4)))


@given(polygons(100, 100, holes=True), st.floats(0.1, 5))
def test_a_simplified_polygon_has_fewer_points_and_stays_near(polygon: Polygon, tolerance: float) -> None:
    simple = simplified(polygon, tolerance)
    assert len(simple.exterior) <= len(polygon.exterior)
    assert set(simple.exterior) <= set(polygon.exterior)
    assert simple.area == pytest.approx(
        polygon.area, abs=tolerance * 2 * (polygon.bounds.width + polygon.bounds.height) * 2
    )


def test_a_ring_that_would_lose_its_area_is_kept() -> None:
    sliver = Polygon(((0, 0), (10, 0.1), (20, 0)))
    assert simplified(sliver, 5) == sliver
