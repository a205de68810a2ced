"""Ornaments stay where they are put."""

from __future__ import annotations

import numpy as np
import pytest

from limner.operations.samples.drawing import SCALE
from limner.operations.samples.ornaments import border, garland, headpiece, initial, scrolls, tailpiece


@pytest.mark.parametrize("letter", ["L", "W", "I"])
def test_an_initial_is_a_dark_square_with_a_white_letter(sheet, inked, letter):
    edges = initial(sheet, letter, (100, 100), 150)
    assert inked().corners == pytest.approx(edges, abs=2)
    assert sheet.zones[0][0] == "initial"
    dark = (np.asarray(sheet.mask("black"))[100 * SCALE : 250 * SCALE, 100 * SCALE : 250 * SCALE] > 0).mean()
    assert 0.35 < dark < 0.85


def test_initials_differ(sheet):
    initial(sheet, "L", (100, 100), 150)
    initial(sheet, "D", (300, 100), 150)
    mask = np.asarray(sheet.mask("black"))
    one, other = (mask[100 * SCALE : 250 * SCALE, left * SCALE : (left + 150) * SCALE] for left in (100, 300))
    assert (one != other).mean() > 0.05


def test_a_headpiece_is_the_same_on_both_sides(sheet, inked):
    headpiece(sheet, (60, 100, 540, 190))
    assert inked().corners == pytest.approx((60, 100, 540, 190), abs=2)
    mask = np.asarray(sheet.mask("black"))[100 * SCALE : 190 * SCALE, 60 * SCALE : 540 * SCALE] > 0
    assert (mask != mask[:, ::-1]).mean() < 0.12
    assert (mask != mask[::-1]).mean() > 0.2


def test_a_border_leaves_its_middle_free(sheet, inked):
    border(sheet, (50, 60, 550, 640), 40)
    assert inked().corners == pytest.approx((50, 60, 550, 640), abs=3)
    assert not np.asarray(sheet.mask("black"))[115 * SCALE : 585 * SCALE, 105 * SCALE : 495 * SCALE].any()


def test_a_tailpiece_hangs_under_its_middle(sheet, inked):
    tailpiece(sheet, 300, 200, 240)
    box = inked()
    assert (box.x + box.x2) / 2 == pytest.approx(300, abs=4)
    assert box.y > 180
    ((label, zone),) = sheet.zones
    assert label == "illustration"
    assert zone.intersection(box).area > 0.95 * box.area


def test_stems_are_as_long_as_they_should_be():
    assert np.vstack(list(garland(300, 30)))[:, 0].max() <= 300
    stems = list(scrolls((0, 0), 300, 50))
    assert [branch for _, branch in stems] == [False] + [True] * (len(stems) - 1)
    assert np.vstack([stem for stem, _ in stems])[:, 0].max() == pytest.approx(300, abs=1)
