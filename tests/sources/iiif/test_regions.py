from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.shapes import Box
from limner.sources.iiif.regions import Region, has_fragment, parse_fragment, parse_region


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10,20,30,40", Region(10, 20, 30, 40)),
        ("pct:10,20.5,30,40", Region(10, 20.5, 30, 40, percent=True)),
        ("xywh=10,20,30,40", Region(10, 20, 30, 40)),
        ("full", None),
        ("10,20,0,40", None),
        ("10,20,30", None),
        ("-1,20,30,40", None),
        ("1e400,20,30,40", None),
        ("a,b,c,d", None),
    ],
)
def test_regions_of_image_requests(text, expected):
    assert parse_region(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.org/c1#xywh=1,2,3,4", Region(1, 2, 3, 4)),
        ("xywh=pixel:1,2,3,4", Region(1, 2, 3, 4)),
        ("#xywh=percent:1,2,3,4", Region(1, 2, 3, 4, percent=True)),
        ("#t=1,2&xywh=pct:1,2,3,4", Region(1, 2, 3, 4, percent=True)),
        ("https://a.org/iiif.json#/canvas/1", None),
        ("#xywh=1,2,3", None),
        ("", None),
    ],
)
def test_media_fragments(text, expected):
    assert parse_fragment(text) == expected


def test_a_fragment_that_cannot_be_read_is_a_fragment_all_the_same():
    assert has_fragment("https://a.org/c1#xywh=1,2,3")
    assert not has_fragment("https://a.org/c1")


def test_percent_are_of_the_whole():
    region = Region(10, 20, 30, 40, percent=True)
    assert region.clipped(1000, 500) == (100, 100, 300, 200)
    assert region.box(200, 100) == Box(20, 20, 60, 40)
    assert region.box(0, 0) is None


def test_regions_end_where_the_image_ends():
    assert Region(90, 90, 30, 5).clipped(100, 100) == (90, 90, 10, 5)
    assert Region(100, 0, 30, 5).clipped(100, 100) is None


@given(*[st.floats(0, 200)] * 2, *[st.floats(0.01, 200)] * 2, *[st.integers(1, 150)] * 2)
def test_a_clipped_region_lies_in_the_image(x, y, w, h, width, height):
    clipped = Region(x, y, w, h).clipped(width, height)
    if clipped:
        left, top, across, down = clipped
        assert left >= 0
        assert top >= 0
        assert across > 0
        assert down > 0
        assert left + across <= width
        assert top + down <= height
