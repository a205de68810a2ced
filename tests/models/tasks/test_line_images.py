"""How a page is scaled for the detector, and how lines are cut out of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.models.tasks.line_images import (
    best_readings,
    detector_scale,
    detector_view,
    levelled,
    line_image,
    readings,
    upright,
    visible,
)


def rectangle(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def turned(quad, degrees):
    matrix = cv2.getRotationMatrix2D((300, 300), degrees, 1)
    return (np.hstack([quad, np.ones((4, 1))]) @ matrix.T).astype(np.float32)


def stripes(width=600, height=600):
    """A light image with a dark bar, 200 × 20, in its middle; the left end of the bar is red."""
    image = np.full((height, width, 3), 230, np.uint8)
    image[290:310, 200:400] = 20
    image[290:310, 200:220] = (220, 0, 0)
    return image


BAR = rectangle(200, 290, 400, 310)


class TestDetectorView:
    def test_a_page_gets_about_the_side_that_was_asked_for(self):
        view = detector_view(np.zeros((2800, 2000, 3), np.uint8), 1600)
        assert view.pixels.shape[:2] == (1600, 1152)
        assert view.scale == (1143 / 2000, 1600 / 2800)

    def test_a_small_page_is_enlarged_no_more_than_twofold(self):
        assert detector_scale(200, 280, 1600) == 2
        assert detector_scale(736, 900, 1600) == 1

    def test_a_narrow_strip_keeps_its_resolution(self):
        assert detector_scale(6000, 200, 1600) > 1
        assert detector_scale(200, 6000, 1600) == detector_scale(6000, 200, 1600)

    @settings(max_examples=60, deadline=None)
    @given(st.integers(1, 50_000), st.integers(1, 50_000))
    def test_the_number_of_pixels_is_limited(self, width, height):
        scale = detector_scale(width, height, 1600)
        assert 0 < scale <= 2
        assert width * height * scale**2 <= 1600 * 1600 / 1.4 * 4 * 1.001

    @settings(max_examples=25, deadline=None)
    @given(st.integers(1, 300), st.integers(1, 300))
    def test_regions_come_back_to_where_they_were(self, width, height):
        view = detector_view(np.zeros((height, width, 3), np.uint8), 400)
        assert view.pixels.shape[0] % 32 == view.pixels.shape[1] % 32 == 0
        quad = rectangle(0, 0, width, height)
        seen = quad * np.array(view.scale) + view.margin
        assert np.allclose(view.to_image(seen[None])[0], quad, atol=1e-2)

    def test_regions_in_the_margin_are_cut_at_the_edge_and_not_visible(self):
        view = detector_view(np.zeros((10, 10, 3), np.uint8), 1600)
        assert view.margin == (22, 22)
        (quad,) = view.to_image(np.array([rectangle(2, 2, 18, 60)]))
        assert quad[:, 0].max() == 0
        assert not visible(quad)
        assert visible(rectangle(0, 0, 1, 1))


class TestLineImage:
    def test_an_upright_line_is_cut_with_some_space_at_its_ends(self):
        cut = line_image(stripes(), BAR, 20)
        assert cut.shape == (20, 204, 3)
        assert (cut[:, 0] == 230).all()
        assert (cut[:, -1] == 230).all()
        assert (cut[:, 30:-2] == 20).all()

    def test_the_height_is_the_one_asked_for(self):
        assert line_image(stripes(), BAR, 48).shape[0] == 48
        assert line_image(stripes(), BAR, 8).shape[0] == 8

    def test_at_the_edges_there_is_no_space_to_take(self):
        assert line_image(stripes(), rectangle(0, 0, 600, 600), 48).shape == (48, 48, 3)

    @pytest.mark.parametrize("degrees", [3, -20, 40])
    def test_a_turned_line_is_straightened(self, degrees):
        matrix = cv2.getRotationMatrix2D((300, 300), degrees, 1)
        image = cv2.warpAffine(stripes(), matrix, (600, 600), flags=cv2.INTER_CUBIC, borderValue=(230, 230, 230))
        cut = line_image(image, turned(BAR, degrees), 20)
        middle = cut[4:-4, 40:-10].astype(int)
        assert abs(middle - 20).max() < 30
        assert cut[10, 10, 0] > 180 > 60 > cut[10, 10, 1]  # the red end is on the left

    def test_upright_means_within_a_pixel(self):
        assert upright(BAR)
        assert upright(BAR + np.array([[0, 0], [0, 0.9], [0, 0], [0, 0]], np.float32))
        assert not upright(turned(BAR, 1))


class TestReadings:
    def test_a_wide_region_is_read_as_it_is(self):
        assert len(readings(stripes(), BAR, 48)) == 1

    def test_a_tall_region_is_read_upwards_and_downwards(self):
        upright_bar = np.ascontiguousarray(np.rot90(stripes(), 1))  # the red end is at the bottom
        tried = readings(upright_bar, rectangle(290, 200, 310, 400), 20)
        assert len(tried) == 2
        reds = [image[10, 10, 0] > 180 for image in tried]
        assert sorted(reds) == [False, True]

    def test_what_is_only_a_little_tall_may_be_a_letter(self):
        assert len(readings(stripes(), rectangle(10, 10, 30, 50), 48)) == 3

    def test_the_first_corner_does_not_matter(self):
        for shift in range(4):
            assert (levelled(np.roll(BAR, shift, axis=0)) == BAR).all()

    @pytest.mark.parametrize("degrees", [80, 100, -75])
    def test_a_steep_region_is_read_both_ways_however_its_corners_are_named(self, degrees):
        quad = turned(BAR, degrees)
        assert all(len(readings(stripes(), np.roll(quad, shift, axis=0), 48)) == 2 for shift in range(4))

    def test_the_best_reading_of_each_region_is_kept(self):
        texts, scores = best_readings([1, 3, 2], ["a", "b", "c", "d", "e", "f"], [0.1, 0.5, 0.9, 0.2, 0.4, 0.3])
        assert texts == ["a", "c", "e"]
        assert scores == [0.1, 0.9, 0.4]
        assert best_readings([], [], []) == ([], [])
