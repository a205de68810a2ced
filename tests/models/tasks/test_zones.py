from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.annotations.annotation import Annotation
from limner.annotations.shapes import Box, Polygon
from limner.models.tasks.zones import Area, in_zones

PAGE = (1000, 800)
PIXELS = np.zeros((400, 500, 3), np.uint8)  # half the size


def found(shape, score=0.5, label="a"):
    return Annotation(shape=shape, label=label, score=score)


def test_the_whole_page_without_zones():
    areas = []
    in_zones(PIXELS, PAGE, (), lambda area: areas.append(area) or [])
    (area,) = areas
    assert (area.box, area.page, area.scale) == (Box(0, 0, 1000, 800), PAGE, (2, 2))
    assert np.shares_memory(area.pixels, PIXELS)


def test_each_zone_is_shown_as_a_view_of_whole_pixels():
    areas = []
    in_zones(PIXELS, PAGE, (Box(101, 50, 99, 100),), lambda area: areas.append(area) or [])
    (area,) = areas
    assert area.pixels.shape == (50, 50, 3)
    assert np.shares_memory(area.pixels, PIXELS)
    assert area.box == Box(100, 50, 100, 100)
    assert area.to_page(Box(1, 2, 3, 4)) == Box(102, 54, 6, 8)
    assert area.to_page(Polygon(((0, 0), (1, 0), (0, 1)))).exterior == ((100, 50), (102, 50), (100, 52))


def test_answers_are_cut_to_the_zone_and_those_outside_dropped():
    answers = [found(Box(90, 40, 100, 100)), found(Box(0, 0, 10, 10)), found(Box(120, 60, 5, 5), score=0.9)]
    kept = in_zones(PIXELS, PAGE, (Box(101, 50, 49, 100),), lambda area: answers)
    assert [each.shape for each in kept] == [Box(120, 60, 5, 5), Box(101, 50, 49, 90)]
    assert kept[1].id == answers[0].id


def test_answers_are_cut_to_the_page():
    (kept,) = in_zones(PIXELS, PAGE, (), lambda area: [found(Box(-10, 700, 100, 300))])
    assert kept.shape == Box(0, 700, 90, 100)


def test_a_thing_in_two_zones_comes_once():
    zones = (Box(0, 0, 500, 800), Box(400, 0, 600, 800))
    thing = Box(420, 100, 60, 60)
    answers = {0: [found(thing, 0.6), found(Box(10, 10, 5, 5), 0.1)], 400: [found(thing, 0.8), found(thing, 0.7, "b")]}
    kept = in_zones(PIXELS, PAGE, zones, lambda area: answers[int(area.box.x)])
    assert [(each.score, each.label) for each in kept] == [(0.8, "a"), (0.7, "b"), (0.1, "a")]


def test_what_one_zone_says_twice_is_left_alone():
    kept = in_zones(
        PIXELS, PAGE, (Box(0, 0, 500, 500), Box(500, 500, 20, 20)), lambda area: [found(Box(1, 1, 9, 9))] * 2
    )
    assert len(kept) == 2


def test_a_zone_beyond_the_page_has_nothing_and_does_not_mean_the_whole():
    calls = []
    assert in_zones(PIXELS, PAGE, (Box(2000, 0, 10, 10),), lambda area: calls.append(area) or []) == []
    assert calls == []


def test_without_scores_the_order_stays():
    answers = [found(Box(i, 0, 5, 5), score=None) for i in range(5)]
    assert in_zones(PIXELS, PAGE, (), lambda area: answers) == answers


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(1, 200), st.integers(1, 200)),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 1), st.floats(0.001, 1)),
)
def test_a_part_covers_its_box_and_no_pixel_too_many(shape, page, fractions):
    area = Area.whole(np.zeros((*shape, 3), np.uint8), page)
    x, y, width, height = fractions
    box = Box(x * page[0], y * page[1], width * page[0], height * page[1])
    shared = box.intersection(area.box)
    part = area.part(box)
    if shared is None:
        assert part is None
        return
    sx, sy = area.scale
    assert part.scale == pytest.approx(area.scale)
    for edge, low, high, step in (
        (part.box.x, shared.x - sx, shared.x, sx),
        (part.box.y, shared.y - sy, shared.y, sy),
        (part.box.x2, shared.x2, shared.x2 + sx, sx),
        (part.box.y2, shared.y2, shared.y2 + sy, sy),
    ):
        assert low - 1e-4 * step <= edge <= high + 1e-4 * step
