from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.annotations.masks import mask_to_array
from limner.annotations.shapes import Box
from limner.models.tasks.detect import Detections
from limner.models.tasks.instance_masks import embedded
from limner.models.tasks.specs import Tiling
from limner.models.tasks.tiling import merged, tiles
from limner.models.tasks.zones import Area

LEFT, RIGHT = Box(0, 0, 120, 100), Box(80, 0, 120, 100)  # they share 80 to 120


def seen(*boxes, scores=None, classes=None, masks=None):
    scores = scores or [0.9 - i / 10 for i in range(len(boxes))]
    return Detections(
        np.array(boxes, float).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(classes or [0] * len(boxes), np.intp),
        masks,
    )


def area(width: int, height: int) -> Area:
    return Area.whole(np.zeros((height, width, 3), np.uint8), (width, height))


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(50, 1000), st.sampled_from([0.0, 0.1, 0.25, 0.5]))
def test_tiles_cover_the_area_and_cores_cover_it_once(width, height, side, overlap):
    found = tiles(area(width, height), Tiling(side=max(side, max(width, height) // 6), overlap=overlap))
    assert sum(tile.core.area for tile in found) == pytest.approx(width * height)
    for tile in found:
        assert tile.core.intersection(tile.area.box) == tile.core
        assert tile.area.pixels.shape[:2] == (tile.area.box.height, tile.area.box.width)
    covered = np.zeros((height, width), np.uint8)
    for tile in found:
        x, y, x2, y2 = map(round, tile.core.corners)
        covered[y:y2, x:x2] += 1
    assert (covered == 1).all()


def test_neighbours_overlap_by_as_much_as_is_asked():
    found = tiles(area(3000, 400), Tiling(side=1000, overlap=0.2))
    assert {tile.area.box.width for tile in found} == {1000}
    starts = [tile.area.box.x for tile in found]
    assert starts == [0, 667, 1333, 2000]
    assert all(tile.area.box.height == 400 for tile in found)


@pytest.mark.parametrize("tiling", [None, Tiling(side=640), Tiling(side=300, above=640)])
def test_small_areas_stay_whole(tiling):
    (tile,) = tiles(area(640, 500), tiling)
    assert tile.area.box == tile.core == Box(0, 0, 640, 500)


def test_tiles_of_a_zone_lie_in_the_page():
    zone = area(4000, 4000).part(Box(1000, 2000, 1500, 1000))
    found = tiles(zone, Tiling(side=1000, overlap=0.2))
    assert [tile.area.box.corners for tile in found] == [(1000, 2000, 2000, 3000), (1500, 2000, 2500, 3000)]


def test_a_thing_that_both_see_whole_comes_once_and_as_the_better_one_saw_it():
    found = merged([(LEFT, seen([90, 10, 110, 30], scores=[0.7])), (RIGHT, seen([91, 10, 110, 31], scores=[0.8]))], 10)
    assert found.boxes.tolist() == [[91, 10, 110, 31]]
    assert found.scores.tolist() == [np.float32(0.8)]


def test_a_thing_that_one_sees_in_part_is_whole():
    whole, part = [70, 10, 110, 30], [80, 10, 110, 30]
    for scores in ([0.9, 0.5], [0.5, 0.9]):
        found = merged([(LEFT, seen(whole, scores=scores[:1])), (RIGHT, seen(part, scores=scores[1:]))], 10)
        assert found.boxes.tolist() == [whole]
        assert found.scores.tolist() == [np.float32(0.9)]


def test_a_thing_that_each_sees_in_part_is_put_together():
    found = merged([(LEFT, seen([20, 10, 120, 30])), (RIGHT, seen([80, 11, 190, 30]))], 10)
    assert found.boxes.tolist() == [[20, 10, 190, 30]]


def test_a_thing_through_three_tiles_is_put_together():
    third = Box(160, 0, 120, 100)
    found = merged(
        [(LEFT, seen([5, 5, 120, 95])), (RIGHT, seen([80, 5, 200, 95])), (third, seen([160, 5, 270, 95]))], 10
    )
    assert found.boxes.tolist() == [[5, 5, 270, 95]]


def test_the_whole_page_joins_the_pieces_of_what_is_larger_than_a_tile():
    page = Box(0, 0, 200, 100)
    found = merged(
        [(LEFT, seen([0, 20, 120, 80])), (RIGHT, seen([80, 20, 200, 80])), (page, seen([0, 20, 200, 80]))], 10
    )
    assert found.boxes.tolist() == [[0, 20, 200, 80]]


def test_neighbours_and_other_labels_stay_apart():
    parts = [
        (LEFT, seen([90, 10, 110, 30], [10, 50, 60, 90], classes=[0, 0])),
        (RIGHT, seen([90, 10, 110, 30], [90, 40, 110, 60], classes=[1, 0])),
    ]
    assert len(merged(parts, 10)) == 4


def test_two_things_in_one_tile_are_never_joined():
    assert len(merged([(LEFT, seen([10, 10, 30, 30], [11, 10, 30, 30])), (RIGHT, seen())], 10)) == 2


def test_the_best_come_first_and_a_limit_holds():
    parts = [
        (LEFT, seen([0, 0, 9, 9], [20, 0, 29, 9])),
        (RIGHT, seen([150, 0, 159, 9], [170, 0, 179, 9], scores=[0.85, 0.2])),
    ]
    found = merged(parts, 3)
    assert found.scores.tolist() == [np.float32(value) for value in (0.9, 0.85, 0.8)]


def test_one_view_is_left_as_it_is():
    only = seen([1, 2, 3, 4])
    assert merged([(LEFT, only)], 10) is only


def test_nothing_anywhere():
    assert len(merged([(LEFT, seen()), (RIGHT, seen())], 10)) == 0


def test_masks_of_parts_are_united():
    page = (200, 100)
    one, two = embedded(np.ones((20, 100), bool), 20, 10, page), embedded(np.ones((20, 110), bool), 80, 10, page)
    found = merged([(LEFT, seen([20, 10, 120, 30], masks=(one,))), (RIGHT, seen([80, 10, 190, 30], masks=(two,)))], 10)
    assert np.array_equal(mask_to_array(found.masks[0]), mask_to_array(one) | mask_to_array(two))


def test_masks_of_things_seen_whole_are_those_of_the_better_one():
    page = (200, 100)
    one, two = embedded(np.ones((20, 20), bool), 90, 10, page), embedded(np.ones((22, 20), bool), 90, 10, page)
    parts = [
        (LEFT, seen([90, 10, 110, 30], scores=[0.9], masks=(one,))),
        (RIGHT, seen([90, 10, 110, 32], scores=[0.8], masks=(two,))),
    ]
    assert merged(parts, 10).masks == (one,)
