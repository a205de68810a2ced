"""The wild rose and its parts."""

from __future__ import annotations

import pytest

from limner.operations.samples.plants import bud, hip, rose, seed, wild_rose

BOX = (40, 40, 560, 680)


def test_the_plant_stays_in_its_place(sheet, inked):
    wild_rose(sheet, BOX)
    left, top, right, bottom = inked().corners
    assert left >= BOX[0]
    assert top >= BOX[1]
    assert right <= BOX[2]
    assert bottom <= BOX[3]
    assert inked().area > 0.6 * (BOX[2] - BOX[0]) * (BOX[3] - BOX[1])


def test_colours_lie_under_the_lines(sheet, inked):
    wild_rose(sheet, BOX)
    assert {"green wash", "rose wash", "ochre wash"} <= set(sheet.masks)
    assert inked("green wash", "rose wash").intersection(inked("black")).area > 0.9 * inked("green wash").area


@pytest.mark.parametrize(
    ("draw", "reach"), [(lambda s: rose(s, (300, 300), 60), 64), (lambda s: seed(s, (300, 300), 40), 52)]
)
def test_parts_lie_around_their_middle(sheet, inked, draw, reach):
    draw(sheet)
    left, top, right, bottom = inked().corners
    assert min(left, top) >= 300 - reach
    assert max(right, bottom) <= 300 + reach


@pytest.mark.parametrize("draw", [bud, hip])
@pytest.mark.parametrize(("angle", "side"), [(0, 1), (180, -1)])
def test_parts_grow_from_their_stalk(sheet, inked, draw, angle, side):
    draw(sheet, (300, 300), angle, 60)
    box = inked()
    assert ((box.x + box.x2) / 2 - 300) * side > 15


def test_what_stands_in_front_covers_what_is_behind(sheet):
    sheet.pen("green wash").block((250, 250, 350, 350))
    before = sheet.mask("green wash").histogram()[255]
    rose(sheet, (300, 300), 60)
    assert sheet.mask("green wash").histogram()[255] < 0.5 * before
