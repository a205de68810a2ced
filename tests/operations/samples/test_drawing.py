"""Curves, strokes and hatching."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageDraw

from limner.operations.samples.drawing import (
    BARE,
    SCALE,
    Pen,
    arc,
    curve,
    hatching,
    leaf_outline,
    mirrored,
    moved,
    new_mask,
    shifted,
    smooth,
    spiral,
)

SQUARE = np.array([(10, 10), (50, 10), (50, 50), (10, 50)], float)


@pytest.fixture
def drawn():
    mask = new_mask(60, 60)
    return mask, Pen(ImageDraw.Draw(mask), np.random.default_rng(1))


def ink(mask):
    """Ink in pixels of the page."""
    return float((np.asarray(mask) > 0).sum()) / SCALE**2


def test_curves_end_where_their_points_say():
    assert curve((0, 0), (5, 9), (10, 0))[[0, -1]].tolist() == [[0, 0], [10, 0]]
    through = smooth([(0, 0), (10, 5), (20, 0)], 10)
    assert through[0].tolist() == [0, 0]
    assert np.abs(through - (10, 5)).sum(axis=1).min() < 1e-9
    assert through[-1].tolist() == [20, 0]


def test_arcs_and_spirals_keep_their_distance():
    assert np.hypot(*(arc((5, 5), 20, 0, 360) - (5, 5)).T) == pytest.approx(20)
    radii = np.hypot(*spiral((0, 0), 20, 4, 0, 2).T)
    assert (radii[0], radii[-1]) == (pytest.approx(20), pytest.approx(4))
    assert (np.diff(radii) < 0).all()


def test_points_are_moved_turned_and_mirrored():
    assert moved([(1, 0)], (10, 20), 90, 5) == pytest.approx(np.array([[10, 25]]))
    assert mirrored([(1, 2)], 10).tolist() == [[19, 2]]
    assert shifted([(1, 2)], 3, -1).tolist() == [[4, 1]]


def test_a_leaf_is_as_long_as_it_should_be():
    leaf = leaf_outline(40, 20)
    assert leaf[:, 0].max() == 40
    assert 10 < np.ptp(leaf[:, 1]) < 20


@pytest.mark.parametrize("angle", [0, 30, 90, -45])
def test_hatching_stays_inside_its_area(angle):
    ends = np.vstack([point for pair in hatching(SQUARE, angle, 4) for point in pair])
    assert len(ends) >= 18
    assert ends.min() >= 10 - 1e-6
    assert ends.max() <= 50 + 1e-6


def test_hatching_leaves_a_notch_free():
    notched = np.array([(0, 0), (30, 0), (30, 30), (20, 30), (20, 10), (10, 10), (10, 30), (0, 30)], float)
    rows = [(one[0], other[0]) for one, other in hatching(notched, 0, 5) if one[1] == 20]
    assert rows == [(0, 10), (20, 30)]


def test_areas_are_filled_and_covered(drawn):
    mask, pen = drawn
    pen.fill(SQUARE)
    assert ink(mask) == pytest.approx(1600, rel=0.05)
    pen.disc((30, 30), 10, BARE)
    assert ink(mask) == pytest.approx(1600 - np.pi * 100, rel=0.05)
    pen.shape(SQUARE, 1)
    assert ink(mask) == pytest.approx(160, rel=0.2)


def test_a_stroke_swells(drawn):
    mask, pen = drawn
    pen.stroke([(5, 30), (15, 30), (30, 30), (45, 30), (55, 30)], (1, 9, 1))
    heights = (np.asarray(mask) > 0).sum(axis=0) / SCALE
    assert heights[30 * SCALE] == pytest.approx(9, abs=0.7)
    assert heights[8 * SCALE] < 4


def test_lines_and_frames_have_their_width(drawn):
    mask, pen = drawn
    pen.line([(0, 30), (60, 30)], 4)
    assert ink(mask) == pytest.approx(240, rel=0.1)
    pen.block((0, 0, 60, 60), BARE)
    assert ink(mask) == 0
    pen.frame((10, 10, 50, 50), 2)
    assert ink(mask) == pytest.approx(2 * 4 * 39, rel=0.1)
