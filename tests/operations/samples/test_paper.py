"""Paper and ink."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from limner.operations.samples.drawing import SCALE, new_mask
from limner.operations.samples.paper import INKS, Paper, blank, clouds, printed

SIZE = (240, 300)


def rng():
    return np.random.default_rng(5)


def with_block(box):
    mask = new_mask(*SIZE)
    mask.paste(255, tuple(edge * SCALE for edge in box))
    return mask


def test_clouds_are_smooth_noise_around_nothing():
    noise = clouds(rng(), 400, 300, 20)
    assert noise.shape == (400, 300)
    assert abs(noise.mean()) < 0.2
    assert np.abs(np.diff(noise, axis=0)).max() < 0.5


@pytest.mark.parametrize("gutter", ["left", "right"])
def test_the_page_is_darker_where_it_is_bound(gutter):
    sheet = blank(Paper(gutter=gutter, spots=0), *SIZE, rng())
    left, right = sheet[:, 2:8].mean(), sheet[:, -8:-2].mean()
    assert (left < right - 20) == (gutter == "left")
    assert abs(left - right) > 20


def test_the_middle_has_the_colour_of_the_paper():
    middle = blank(Paper(spots=0), 600, 800, rng())[300:500, 200:400].mean(axis=(0, 1))
    assert middle == pytest.approx((239, 228, 204), abs=9)


def test_ink_is_where_its_mask_is():
    image = np.asarray(printed(Paper(spots=0, through=0), {"red": with_block((60, 80, 120, 140))}, SIZE, rng()))
    inked, bare = image[90:130, 70:110].mean(axis=(0, 1)), image[90:130, 150:200].mean(axis=(0, 1))
    assert inked[0] > inked[1] + 60
    assert bare[1] > 180


def test_the_other_side_shows_through():
    masks = {"black": with_block((30, 80, 90, 140))}
    plain, thin = (
        np.asarray(printed(Paper(spots=0, through=through), masks, SIZE, rng()), int) for through in (0.0, 0.2)
    )
    darker = (plain - thin).sum(axis=2)
    assert darker[90:130, 160:200].min() > 20
    assert darker[200:280].max() == 0


def test_a_mask_without_ink_changes_nothing():
    empty = printed(Paper(), {"red": new_mask(*SIZE)}, SIZE, rng())
    assert empty.tobytes() == printed(Paper(), {}, SIZE, rng()).tobytes()
    assert isinstance(empty, Image.Image)


def test_inks_leave_some_light():
    assert all(0 < value < 255 for colour in INKS.values() for value in colour)
