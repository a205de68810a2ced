"""Every figure stays in its frame and says where it is."""

from __future__ import annotations

import pytest

from limner.operations.samples.figures import corners, eclipse, pentagon, phases, solids, spheres, three_squares

TALL, WIDE = (100, 100, 460, 500), (40, 100, 580, 260)


@pytest.mark.parametrize(
    ("draw", "frame"), [(three_squares, TALL), (pentagon, TALL), (solids, TALL), (phases, TALL), (eclipse, WIDE)]
)
def test_a_figure_fills_its_frame_and_no_more(sheet, inked, draw, frame):
    draw(sheet, frame)
    assert inked().corners == pytest.approx(frame, abs=3)
    ((label, box),) = sheet.zones
    assert label == "illustration"
    assert box.corners == pytest.approx(frame, abs=3)
    assert sheet.lines == []


def test_the_spheres_fill_their_circle(sheet, inked):
    spheres(sheet, (300, 300), 250)
    assert inked().corners == pytest.approx((50, 50, 550, 550), abs=4)
    assert sheet.zones[0][1].iou(inked()) > 0.97


def test_corners_of_a_polygon_begin_at_the_top():
    assert corners((10, 10), 5, 4)[0] == pytest.approx((10, 5))
    assert corners((10, 10), 5, 4)[1] == pytest.approx((15, 10))
