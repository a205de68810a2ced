"""From regions with text to annotations."""

from __future__ import annotations

import numpy as np

from limner.annotations.annotation import Annotation, ByModel
from limner.annotations.shapes import Box, Polygon
from limner.models.tasks.ocr import Region, in_reading_order, region_annotations, region_shape
from limner.models.tasks.zones import Area

ORIGIN = ByModel("text", "1")
#: The lower right quarter of a page of 400 × 200, at half its size.
AREA = Area(np.zeros((50, 100, 3), np.uint8), Box(200, 100, 200, 100), (400, 200))


def rectangle(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def test_an_upright_region_is_a_box_in_pixels_of_the_page():
    assert region_shape(rectangle(10, 20, 60, 30), AREA) == Box(220, 140, 100, 20)


def test_a_region_that_leans_by_less_than_a_pixel_is_a_box_too():
    leaning = rectangle(10, 20, 60, 30) + np.array([[0, 0], [0, 0.75], [0, 0.75], [0, 0]], np.float32)
    assert region_shape(leaning, AREA) == Box(220, 140, 100, 21.5)


def test_a_turned_region_is_a_polygon_with_its_corners_in_order():
    quad = np.array([[10, 20], [60, 25], [59, 35], [9, 30]], np.float32)
    shape = region_shape(quad, AREA)
    assert shape == Polygon(((220, 140), (320, 150), (318, 170), (218, 160)))


def test_a_region_without_area_is_nothing():
    assert region_shape(rectangle(0, 5, 0, 30), AREA) is None


def found(regions, least=0.5):
    return list(region_annotations(regions, AREA, "line", least, ORIGIN))


def test_annotations_say_what_was_read_and_by_whom():
    (line,) = found([Region(rectangle(10, 20, 60, 30), 0.75, "Vrai")])
    assert (line.label, line.text, line.score, line.provenance) == ("line", "Vrai", 0.75, ORIGIN)


def test_regions_below_the_threshold_are_left_out_and_those_at_it_are_not():
    regions = [Region(rectangle(10, 20, 60, 30), score) for score in (0.49, 0.5, 0.51)]
    assert [each.score for each in found(regions)] == [0.5, 0.51]
    assert len(found(regions, least=0.0)) == 3


def test_scores_stay_within_their_bounds():
    assert [each.score for each in found([Region(rectangle(10, 20, 60, 30), 1.0000001)])] == [1]


def test_annotations_come_in_reading_order():
    rows = [Annotation(shape=Box(10, y, 100, 12), label="line", text=str(y)) for y in (50, 10, 30)]
    assert [line.text for line in in_reading_order(rows)] == ["10", "30", "50"]
    assert in_reading_order([]) == []
