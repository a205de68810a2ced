"""The manuscript page."""

from __future__ import annotations

import numpy as np

from limner.operations.samples.manuscript import garden
from limner.operations.samples.pages import HEIGHT, WIDTH
from limner.operations.samples.sheet import Sheet


def page():
    sheet = Sheet(WIDTH, HEIGHT, np.random.default_rng(0))
    garden(sheet)
    return sheet


def test_two_columns_with_an_initial_and_a_miniature():
    sheet = page()
    columns = [box for label, box in sheet.zones if label == "text"]
    assert len(columns) == 2
    assert columns[0].x2 < columns[1].x
    assert [label for label, _ in sheet.zones].count("initial") == 1
    miniature = [box for label, box in sheet.zones if label == "illustration"][-1]
    assert miniature.y > columns[1].y2


def test_lines_stand_on_the_ruling():
    level = [(box.y2, box) for text, box in page().lines if not set(text) & set("qpgjyf,;Q")]
    baselines = sorted({round(bottom) for bottom, box in level if 240 < box.x < 1010})
    assert len(baselines) > 6
    assert all(min(step % 47, -step % 47) <= 3 for step in np.diff(baselines).tolist())


def test_it_is_written_in_more_than_one_ink():
    assert {"black", "red", "blue", "gold", "faint"} <= {ink for ink, mask in page().masks.items() if mask.getbbox()}
