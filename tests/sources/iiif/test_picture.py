from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import DecodeError, SizeMismatchError
from limner.core.settings import Settings
from limner.sources.iiif.image_api import ImageService
from limner.sources.iiif.painting import PaintedImage
from limner.sources.iiif.picture import FetchedImage, check_shape, turned
from limner.sources.iiif.regions import Region
from limner.sources.protocol import Want

SERVICE = (ImageService(id="https://lib.example/p1", version=2),)


def fetched(path: Path, *, full=(0, 0), cut=False, learnt: list | None = None, **image) -> FetchedImage:
    sizes = learnt if learnt is not None else []
    return FetchedImage(path, PaintedImage(resource="x", **image), "p1.jpg", full, cut, Settings(), sizes.append)


def corner(picture) -> tuple[int, int]:
    """How far right and down the first pixel lies in the gradient, in 255ths."""
    return tuple(int(value) for value in picture.pixels[0, 0, :2])


@pytest.fixture
def p1(folder: Path) -> Path:
    """600 × 800 pixels, red from left to right and green from top to bottom."""
    return folder / "p1.png"


def test_a_plain_file_has_its_own_size(p1):
    learnt = []
    picture = fetched(p1, full=(60, 80), learnt=learnt).decode(Want())
    assert (picture.width, picture.height, picture.pixels.shape) == (600, 800, (800, 600, 3))
    assert learnt == [(600, 800)]


def test_an_image_of_a_service_has_the_announced_size(p1):
    picture = fetched(p1, full=(6000, 8000), services=SERVICE).decode(Want())
    assert (picture.width, picture.height, picture.pixels.shape) == (6000, 8000, (800, 600, 3))


def test_no_more_is_decoded_than_wanted(p1):
    assert fetched(p1).decode(Want(200)).pixels.shape == (200, 150, 3)


@pytest.mark.parametrize("full", [(800, 600), (600, 840), (1, 1)])
def test_lying_sizes_are_an_error(p1, full):
    with pytest.raises(SizeMismatchError, match=r"p1\.jpg is announced as"):
        fetched(p1, full=full, services=SERVICE).decode(Want())


def test_a_part_is_cut_out_of_the_whole(p1):
    region = Region(300, 400, 200, 100)
    picture = fetched(p1, full=(600, 800), services=SERVICE, region=region).decode(Want())
    assert (picture.width, picture.height, picture.pixels.shape) == (200, 100, (100, 200, 3))
    assert corner(picture) == pytest.approx((127, 127), abs=2)


def test_a_part_is_cut_out_of_a_smaller_image_at_the_size_that_is_needed(p1):
    region = Region(3000, 4000, 2000, 1000)
    picture = fetched(p1, full=(6000, 8000), services=SERVICE, region=region).decode(Want(100))
    assert (picture.width, picture.height) == (2000, 1000)
    assert picture.pixels.shape == (50, 100, 3)
    assert corner(picture) == pytest.approx((127, 127), abs=4)


def test_a_part_in_percent_of_a_file_of_unknown_size(p1):
    picture = fetched(p1, region=Region(50, 50, 25, 25, percent=True)).decode(Want())
    assert (picture.width, picture.height) == (150, 200)
    assert corner(picture) == pytest.approx((127, 127), abs=2)


def test_a_part_that_the_server_cut_is_left_as_it_is(p1):
    image = fetched(p1, full=(6000, 8000), cut=True, services=SERVICE, region=Region(0, 0, 1200, 1600))
    picture = image.decode(Want())
    assert (picture.width, picture.height, picture.pixels.shape) == (1200, 1600, (800, 600, 3))


def test_a_part_that_the_server_cut_wrongly_is_an_error(p1):
    image = fetched(p1, full=(6000, 8000), cut=True, services=SERVICE, region=Region(0, 0, 1600, 1600))
    with pytest.raises(SizeMismatchError):
        image.decode(Want())


def test_a_part_outside_of_the_image_is_an_error(p1):
    with pytest.raises(SizeMismatchError, match="outside"):
        fetched(p1, region=Region(900, 0, 5, 5)).decode(Want())


def test_pages_are_turned_as_the_manifest_says(p1):
    picture = fetched(p1, full=(600, 800), services=SERVICE, rotation=90).decode(Want())
    assert (picture.width, picture.height, picture.pixels.shape) == (800, 600, (600, 800, 3))
    assert corner(picture) == pytest.approx((0, 255), abs=1)  # the lower left corner comes to the upper left


@pytest.mark.parametrize(
    ("rotation", "mirrored", "expected"),
    [
        (0, False, [[1, 2], [3, 4]]),
        (90, False, [[3, 1], [4, 2]]),
        (180, False, [[4, 3], [2, 1]]),
        (270, False, [[2, 4], [1, 3]]),
        (0, True, [[2, 1], [4, 3]]),
        (90, True, [[4, 2], [3, 1]]),
    ],
)
def test_mirrored_first_then_turned_clockwise(rotation, mirrored, expected):
    pixels = np.array([[[1] * 3, [2] * 3], [[3] * 3, [4] * 3]], np.uint8)
    out = turned(pixels, PaintedImage(resource="x", rotation=rotation, mirrored=mirrored))
    assert out[:, :, 0].tolist() == expected
    assert out.flags["C_CONTIGUOUS"]


def test_what_is_no_image_is_named_by_the_page(tmp_path):
    path = tmp_path / "3f2a"
    path.write_bytes(b"\xff\xd8\xff\xe0 not really")
    with pytest.raises(DecodeError, match=r"p1\.jpg"):
        fetched(path).decode(Want())


@given(st.integers(1, 60_000), st.integers(1, 60_000), st.integers(1, 2000))
def test_rounding_is_no_lie(width, height, side):
    scale = min(1, side / max(width, height))
    check_shape("x", (width, height), (max(1, round(width * scale)), max(1, round(height * scale))))


@given(st.integers(200, 9000), st.integers(200, 9000), st.floats(1.05, 3))
def test_another_shape_is_a_lie(width, height, factor):
    with pytest.raises(SizeMismatchError):
        check_shape("x", (width, height), (round(width * factor), height))
