from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from limner.annotations.masks import mask_from_array, mask_to_array
from limner.models.tasks import instance_masks
from limner.models.tasks.instance_masks import BoxMasks, InputMasks, Prototypes, cut_out, embedded, page_mask, united
from limner.models.tasks.letterbox import Transform

SAME = Transform(1, 1, 0, 0)


def bilinear(values, x, y, outside=None):
    """Values between the centres of cells, reckoned one by one."""
    height, width = values.shape
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    total = 0.0
    for yy, wy in ((y0, 1 - (y - y0)), (y0 + 1, y - y0)):
        for xx, wx in ((x0, 1 - (x - x0)), (x0 + 1, x - x0)):
            inside = 0 <= xx < width and 0 <= yy < height
            if inside or outside is None:
                value = values[min(max(yy, 0), height - 1), min(max(xx, 0), width - 1)]
            else:
                value = outside
            total += wx * wy * value
    return total


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_a_part_of_a_page_as_run_lengths(bits, left, top, right, bottom):
    height, width = bits.shape
    page = np.zeros((top + height + bottom, left + width + right), bool)
    page[top : top + height, left : left + width] = bits
    found = embedded(bits, left, top, (page.shape[1], page.shape[0]))
    if not bits.any():
        assert found is None
        return
    assert found == mask_from_array(page)  # the very same run lengths
    cut, x, y = cut_out(found)
    assert cut.any(axis=0)[[0, -1]].all()
    assert cut.any(axis=1)[[0, -1]].all()
    assert np.array_equal(page[y : y + cut.shape[0], x : x + cut.shape[1]], cut)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
def test_box_masks_are_pasted_as_detectron2_does(scale):
    values = np.random.default_rng(3).random((1, 28, 28)).astype(np.float32)
    box = np.array([12.3, 8.7, 75.1, 51.9])  # on the page
    transform = Transform(scale, scale, 5, -2)
    source = BoxMasks(values, 0.5)
    grid = source.grid(0, transform.to_network(box[None])[0].astype(np.float32))
    mask = mask_to_array(page_mask(grid, box, transform, (100, 80)))
    wanted = np.zeros((80, 100))
    for y in range(9, 52):
        for x in range(12, 75):
            at_x = (x + 0.5 - box[0]) / (box[2] - box[0]) * 28 - 0.5
            at_y = (y + 0.5 - box[1]) / (box[3] - box[1]) * 28 - 0.5
            wanted[y, x] = bilinear(values[0], at_x, at_y, outside=0.0)
    clear = np.abs(wanted - 0.5) > 0.03  # OpenCV reckons in 32nds of a cell
    assert np.array_equal(mask[clear], (wanted >= 0.5)[clear])
    assert clear.mean() > 0.8


def test_prototypes_are_summed_where_the_box_is():
    rng = np.random.default_rng(4)
    prototypes = rng.normal(size=(3, 40, 40)).astype(np.float32)
    weights = rng.normal(size=(2, 3)).astype(np.float32)
    source = Prototypes(weights, prototypes, (160, 160))
    transform = Transform(0.8, 0.8, 0, 16)
    box = np.array([33.0, 20.0, 150.0, 111.0])
    grid = source.grid(1, transform.to_network(box[None])[0].astype(np.float32))
    mask = mask_to_array(page_mask(grid, box, transform, (200, 160)))
    whole = np.tensordot(weights[1], prototypes, axes=1)
    for y in range(20, 111, 7):
        for x in range(33, 150, 7):
            value = bilinear(whole, ((x + 0.5) * 0.8) / 4 - 0.5, ((y + 0.5) * 0.8 + 16) / 4 - 0.5)
            if abs(value) > 0.1:
                assert mask[y, x] == (value >= 0)
    outside = mask.copy()
    outside[20:111, 33:150] = False
    assert not outside.any()
    assert grid.values.shape == (21, 26)  # not all 40 × 40


def test_masks_of_the_whole_input_are_cut_by_their_box():
    source = InputMasks(np.ones((1, 10, 10), np.float32), 0.5, (100, 100))
    box = np.array([20.2, 30.0, 40.0, 50.6])
    mask = page_mask(source.grid(0, box.astype(np.float32)), box, SAME, (100, 100))
    # A pixel belongs to a box when its centre does.
    assert mask.bounds.corners == (20, 30, 40, 51)
    assert mask.area == 20 * 21


@pytest.mark.parametrize("box", [[10, 10, 10.2, 20], [-5, -5, -1, -1], [500, 500, 600, 600]])
def test_boxes_without_a_pixel_have_no_mask(box):
    source = InputMasks(np.ones((1, 10, 10), np.float32), 0.5, (100, 100))
    assert page_mask(source.grid(0, np.array(box, np.float32)), np.array(box, float), SAME, (100, 100)) is None


def test_a_mask_larger_than_one_warp_is_put_together(monkeypatch):
    values = np.random.default_rng(5).random((1, 12, 12)).astype(np.float32)
    box = np.array([3.0, 5.0, 97.0, 91.0])
    grid = BoxMasks(values, 0.5).grid(0, box.astype(np.float32))
    whole = page_mask(grid, box, SAME, (100, 100))
    monkeypatch.setattr(instance_masks, "_LARGEST_WARP", 17)
    assert (mask_to_array(page_mask(grid, box, SAME, (100, 100))) ^ mask_to_array(whole)).mean() < 0.01


def test_pages_wider_than_opencv_warps():
    values = np.ones((1, 4, 4), np.float32)
    box = np.array([0.0, 0.0, 40_000.0, 3.0])
    mask = page_mask(InputMasks(values, 0.5, (400, 4)).grid(0, box / 100), box, Transform(0.01, 1, 0, 0), (40_000, 4))
    assert mask.area == 120_000


def test_united():
    one, two = embedded(np.ones((2, 3), bool), 1, 1, (10, 8)), embedded(np.ones((4, 1), bool), 3, 2, (10, 8))
    assert united([]) is None
    assert united([one]) is one
    assert np.array_equal(mask_to_array(united([one, two])), mask_to_array(one) | mask_to_array(two))


def test_taking_some_keeps_them_in_step():
    values = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, 2, 2), np.float32)
    for source in (BoxMasks(values, 0.5), InputMasks(values, 0.5, (8, 8))):
        grid = source.take(np.array([2, 0])).grid(0, np.array([0, 0, 8, 8], np.float32))
        assert (grid.values == 2).all()
