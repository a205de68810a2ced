from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.annotations.masks import mask_from_array, polygons_to_array
from limner.annotations.shapes import Box, Mask, Polygon
from limner.core.errors import ShapeError
from limner.models.tasks.clipping import clipped

FRAME = Box(10, 10, 20, 10)


def test_what_lies_inside_stays_itself():
    triangle = Polygon(((10, 10), (30, 10), (20, 20)))
    assert clipped(triangle, FRAME) is triangle
    box = Box(12, 12, 3, 3)
    assert clipped(box, FRAME) is box


def test_what_lies_outside_is_gone():
    assert clipped(Box(0, 0, 10, 10), FRAME) is None
    assert clipped(Polygon(((0, 0), (5, 0), (0, 5))), FRAME) is None


def test_boxes():
    assert clipped(Box(0, 15, 100, 100), FRAME) == Box(10, 15, 20, 5)


def test_a_triangle_loses_its_corners():
    cut = clipped(Polygon(((5, 10), (35, 10), (20, 25))), FRAME)
    assert isinstance(cut, Polygon)
    assert cut.bounds == FRAME
    assert cut.area == 200 - 12.5 - 12.5


def test_a_polygon_whose_bounds_alone_meet_the_frame():
    assert clipped(Polygon(((0, 0), (40, 0), (40, 5), (5, 5), (5, 40), (0, 40))), FRAME) is None


def test_holes_are_cut_too_or_gone():
    inside, beyond = ((5, 12), (15, 12), (15, 18), (5, 18)), ((60, 12), (70, 12), (70, 18))
    cut = clipped(Polygon(((0, 0), (90, 0), (90, 90), (0, 90)), (inside, beyond)), FRAME)
    assert len(cut.holes) == 1
    assert cut.area == 200 - 5 * 6


def test_masks_keep_pixels_with_their_centre_inside():
    page = np.zeros((40, 50), bool)
    page[5:15, 5:15] = True
    cut = clipped(mask_from_array(page), Box(10.4, 9.6, 100, 3))
    assert isinstance(cut, Mask)
    assert (cut.width, cut.height) == (50, 40)
    assert cut.bounds == Box(10, 10, 5, 3)
    assert clipped(mask_from_array(page), Box(30, 30, 3, 3)) is None


POINTS = st.tuples(st.integers(0, 40), st.integers(0, 30))


@settings(max_examples=100, deadline=None)
@given(st.lists(POINTS, min_size=3, max_size=8))
def test_a_cut_polygon_covers_what_both_cover(ring):
    try:
        polygon = Polygon(tuple(ring))
    except ShapeError:
        return
    both = polygons_to_array([polygon], 40, 30)
    inside = np.zeros_like(both)
    inside[10:20, 10:30] = both[10:20, 10:30]
    cut = clipped(polygon, FRAME)
    found = polygons_to_array([cut] if cut else [], 40, 30)
    for y, x in np.argwhere(found != inside):
        assert touches(polygon.exterior, x + 0.5, y + 0.5)


def touches(ring, x, y):
    """Whether a point lies on a line of a ring: there, rounding decides to which side it belongs."""
    for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True):
        length = np.hypot(x2 - x1, y2 - y1)
        if length and abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length < 1e-9:
            return True
    return False
