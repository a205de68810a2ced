from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from limner.sources.images.jpeg2000 import Jpeg2000, levels
from tests.sources.image_files import decoded, encoded, gradient

pytestmark = pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow has no JPEG 2000")


@pytest.mark.parametrize("resolutions", [1, 2, 4, 6])
@pytest.mark.parametrize("bare", [False, True])
def test_levels_are_read_from_the_header(resolutions, bare):
    data = encoded(gradient(200, 150), "JPEG2000", num_resolutions=resolutions, no_jp2=bare)
    assert levels(io.BytesIO(data)) == resolutions - 1


@pytest.mark.parametrize(
    "data", [b"", b"\xff\x4f\xff\x51", b"\xff\x4f\xff\x51\x00\x00", b"\xff\x4f\xff\x51" + bytes(40)]
)
def test_no_levels_where_there_is_no_header(data):
    assert levels(io.BytesIO(data)) == 0


@settings(deadline=None, max_examples=40)
@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 3))
def test_any_size_can_be_halved(width, height, power):
    image = Jpeg2000(io.BytesIO(encoded(gradient(width, height), "JPEG2000", num_resolutions=4)))
    image.shrink(power)
    image.load()
    assert image.size == (-(-width >> power), -(-height >> power))


def test_the_smaller_image_looks_like_the_larger():
    large = gradient(803, 601)
    pixels = decoded(encoded(large, "JPEG2000"), 201).pixels
    assert pixels.shape == (151, 201, 3)
    small = large.resize((201, 151), Image.Resampling.BOX)
    assert np.abs(pixels.astype(int) - np.asarray(small)).mean() < 3


def test_an_image_without_levels_is_reduced_afterwards():
    assert decoded(encoded(gradient(800, 600), "JPEG2000", num_resolutions=1), 200).pixels.shape == (150, 200, 3)
