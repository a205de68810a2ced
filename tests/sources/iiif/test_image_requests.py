from __future__ import annotations

import re
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.sources.iiif.image_api import ImageService
from limner.sources.iiif.image_requests import (
    ImageRequest,
    Part,
    can_ask,
    exact_requests,
    full_request,
    sized,
    smaller_requests,
    whole_side,
)
from limner.sources.iiif.regions import Region

BASE = "https://lib.example/iiif/p1"


def service(version=3, level=1, width=3000, height=4000, **more) -> ImageService:
    return ImageService(id=BASE, version=version, level=level, width=width, height=height, **more)


def words(requests: list[ImageRequest]) -> list[str]:
    """Region and size of each request."""
    return [request.url.removeprefix(f"{BASE}/").rpartition("/0/")[0] for request in requests]


@pytest.mark.parametrize(
    ("version", "word", "quality"),
    [(1, "full", "native"), (2, "full", "default"), (3, "max", "default"), (0, "full", "default")],
)
def test_full_size_is_asked_for_in_the_words_of_the_version(version, word, quality):
    first = exact_requests(service(version), Part())[0]
    assert first == ImageRequest(f"{BASE}/full/{word}/0/{quality}.jpg", full=True)
    assert full_request(service(version)) == first


def test_no_more_is_asked_for_than_is_needed():
    assert words(exact_requests(service(), Part(side=640))) == ["full/480,"]
    assert words(exact_requests(service(level=2), Part(side=640))) == ["full/480,", "full/!480,640"]
    assert words(exact_requests(service(width=4000, height=3000), Part(side=640))) == ["full/640,"]
    assert not exact_requests(service(), Part(side=640))[0].full


@pytest.mark.parametrize("side", [4000, 5000])
def test_an_image_that_is_no_larger_than_needed_comes_whole(side):
    assert words(exact_requests(service(), Part(side=side)))[0] == "full/max"


def test_the_quality_of_the_manifest_is_kept():
    assert exact_requests(service(2, quality="native"), Part(side=640))[0].url.endswith("/0/native.jpg")


def test_without_a_known_size_the_image_comes_whole():
    assert words(exact_requests(service(width=0, height=0), Part(side=640))) == ["full/max", "full/full"]
    assert smaller_requests(service(width=0, height=0), Part(side=640)) == []


LISTED = ((300, 400), (750, 1000), (1500, 2000))


@pytest.mark.parametrize(
    ("version", "expected"), [(2, ["full/750,", "full/750,1000"]), (3, ["full/750,1000", "full/750,"])]
)
def test_level_0_gets_a_listed_size_as_its_version_writes_it(version, expected):
    assert words(exact_requests(service(version, 0, sizes=LISTED), Part(side=640)))[:2] == expected


def test_level_0_without_a_listed_size_that_is_long_enough_comes_whole():
    assert words(exact_requests(service(2, 0, sizes=LISTED), Part(side=2400)))[0] == "full/full"
    assert words(smaller_requests(service(2, 0, sizes=LISTED), Part(side=2400))) == ["full/1500,", "full/750,"]


def test_level_0_without_sizes_only_has_the_whole():
    assert words(exact_requests(service(2, 0), Part(side=640))) == ["full/full", "full/max"]
    assert smaller_requests(service(2, 0), Part(side=640)) == []


def test_a_listed_size_that_fits_is_preferred_where_any_can_be_asked_for():
    assert words(exact_requests(service(sizes=LISTED), Part(side=900)))[0] == "full/750,1000"
    assert words(exact_requests(service(sizes=LISTED), Part(side=640)))[0] == "full/480,"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_width": 300}, "full/225,"),
        ({"max_width": 3000, "max_height": 400}, "full/300,"),
        ({"max_area": 300 * 400}, "full/300,"),
    ],
)
def test_the_limits_of_the_server_are_kept(limits, expected):
    assert words(exact_requests(service(2, **limits), Part(side=640))) == [expected]
    assert words(exact_requests(service(3, **limits), Part(side=640))) == ["full/max", expected]
    assert words(exact_requests(service(2, **limits), Part()))[0] == expected
    assert words(exact_requests(service(2, **limits), Part(side=200))) == ["full/150,"]


@pytest.mark.parametrize(
    ("feature", "expected"),
    [("sizeByW", "480,"), ("sizeByH", ",640"), ("sizeByWh", "480,640"), ("sizeByConfinedWh", "!480,640")],
)
def test_services_below_level_1_are_asked_in_the_forms_that_they_know(feature, expected):
    found = exact_requests(service(2, 0, features=frozenset({feature})), Part(side=640))
    assert words(found)[0] == f"full/{expected}"


def test_regions_are_cut_by_the_server():
    part = Part(Region(500, 600, 1000, 800), 500)
    first = exact_requests(service(level=2), part)[0]
    assert first == ImageRequest(f"{BASE}/500,600,1000,800/500,/0/default.jpg", full=False, cut=True)


def test_regions_in_percent_become_pixels_where_the_size_is_known():
    part = Part(Region(10, 10, 50, 50, percent=True), 500)
    assert words(exact_requests(service(), part))[0] == "300,400,1500,2000/375,"
    assert words(exact_requests(service(width=0, height=0), part))[0] == "pct:10,10,50,50/max"


def test_a_region_may_come_with_the_whole_image():
    part = Part(Region(0, 0, 1500, 1000), 300)
    assert words(exact_requests(service(level=0, sizes=((600, 800), (300, 400))), part))[0] == "full/600,800"
    assert words(exact_requests(service(), part))[-1] == "full/600,"
    assert not exact_requests(service(), part)[-1].cut
    assert whole_side(part, (3000, 4000)) == 800
    assert whole_side(part, (0, 0)) is None
    assert whole_side(Part(None, 300), (0, 0)) == 300


def test_smaller_means_half_and_a_quarter():
    assert words(smaller_requests(service(2), Part(side=1000))) == ["full/375,", "full/188,"]
    assert words(smaller_requests(service(2), Part())) == ["full/1500,", "full/750,"]


def test_what_must_be_known_before_asking():
    assert can_ask(service(), Part())
    assert not can_ask(service(version=0), Part())
    assert not can_ask(service(width=0, height=0), Part())
    assert can_ask(service(width=0, height=0), Part(Region(0, 0, 5, 5)))
    assert not can_ask(service(width=0, height=0), Part(Region(0, 0, 5, 5, percent=True)))


def test_the_size_of_the_manifest_fills_in():
    assert sized(service(width=0, height=0), (30, 40)).height == 40
    assert sized(service(), (30, 40)).height == 4000


@given(
    version=st.integers(0, 3),
    level=st.sampled_from([None, 0, 1, 2]),
    width=st.integers(1, 70_000),
    height=st.integers(1, 70_000),
    side=st.integers(1, 80_000),
    limit=st.sampled_from([0, 1, 500, 4000]),
    sizes=st.lists(st.integers(1, 3000), max_size=4),
)
def test_requests_are_possible_long_enough_and_never_twice(version, level, width, height, side, limit, sizes):
    listed = tuple(sorted((size, ceil(size * height / width)) for size in set(sizes) if size < width))
    known = service(version, level, width, height, max_width=limit, sizes=listed)
    exact = exact_requests(known, Part(side=side))
    every = [*exact, *smaller_requests(known, Part(side=side)), full_request(known)]
    assert 1 <= len(exact) <= 3
    assert len({request.url for request in exact}) == len(exact)
    for request in every:
        size = re.fullmatch(r".*/full/(.+)/0/\w+\.jpg", request.url)[1]
        numbers = [int(part) for part in size.strip("!").split(",") if part.isdecimal()]
        assert size in {"full", "max"} or (numbers and all(number >= 1 for number in numbers))
    first = re.fullmatch(r".*/full/(\d+),/0/\w+\.jpg", exact[0].url)
    if first and not limit:
        delivered = int(first[1]) * max(width, height) / width
        assert delivered >= min(side, max(width, height)) - 1
        assert int(first[1]) <= width
