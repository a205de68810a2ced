"""Crops."""

import numpy as np
from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.drawing.crops import crop_box, cut_out
from limner.annotations.shapes import Box


def _annotation(*box: float) -> Annotation:
    return Annotation(shape=Box(*box), label="text")


def test_a_crop_holds_just_the_pixels_of_the_box() -> None:
    pixels = np.arange(100 * 100 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 100, 3)
    crop = cut_out(Image.fromarray(pixels), _annotation(10, 20, 30, 40), (100, 100))
    assert crop is not None
    assert (np.asarray(crop) == pixels[20:60, 10:40]).all()


def test_a_smaller_image_gives_a_smaller_crop() -> None:
    assert crop_box(_annotation(100, 200, 300, 400), (100, 100), (1000, 1000)) == (10, 20, 40, 60)


def test_what_hangs_over_the_edge_is_cut_at_it() -> None:
    assert crop_box(_annotation(-10, 90, 50, 50), (100, 100), (100, 100)) == (0, 90, 40, 100)


def test_a_sliver_is_at_least_one_pixel() -> None:
    assert crop_box(_annotation(99.9, 50.2, 0.05, 0.1), (100, 100), (100, 100)) == (99, 50, 100, 51)


def test_outside_the_page_there_is_no_crop() -> None:
    assert cut_out(Image.new("RGB", (10, 10)), _annotation(20, 20, 5, 5), (10, 10)) is None
