"""The woodcut."""

from __future__ import annotations

import numpy as np
import pytest

from limner.operations.samples.drawing import SCALE
from limner.operations.samples.pictures import harbour

BOX = (60, 80, 540, 420)


def test_nothing_sticks_out_of_the_block(sheet, inked):
    harbour(sheet, BOX)
    assert inked().corners == pytest.approx(BOX, abs=1)
    assert sheet.zones[0][0] == "illustration"


def test_it_is_neither_empty_nor_black(sheet):
    harbour(sheet, BOX)
    mask = np.asarray(sheet.mask("black")) > 0
    for left in range(70, 460, 80):
        for top in range(90, 340, 80):
            dark = mask[top * SCALE : (top + 80) * SCALE, left * SCALE : (left + 80) * SCALE].mean()
            assert 0.01 < dark < 0.7


def test_what_was_printed_around_it_stays(sheet, inked):
    sheet.pen().block((10, 10, 30, 30))
    harbour(sheet, BOX)
    assert inked().x == pytest.approx(10, abs=1)
