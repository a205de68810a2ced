"""Tiled images, against Pillow doing the same to the whole image."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import DecodeError
from limner.operations.images.pyramids import pyramid_size, render, save_pyramid
from limner.operations.images.requests import read_request
from limner.sources.protocol import Picture

#: Odd, so that scales do not come out even.
SIZE = (1203, 901)


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """Red grows to the right, green downwards: every pixel tells where it comes from."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    return np.stack([x * 255 / SIZE[0], y * 255 / SIZE[1], np.full(x.shape, 128)], axis=-1).astype(np.uint8)


@pytest.fixture(scope="session")
def pyramid(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pyramids") / "p.tif"
    save_pyramid(Picture(pixels, *SIZE), path)
    return path


def _got(pyramid: Path, *words: str) -> Image.Image:
    return Image.open(io.BytesIO(render(pyramid, read_request(*words, SIZE))))


def _far(image: Image.Image, expected: Image.Image) -> int:
    ours, theirs = (np.asarray(each.convert("RGB")).astype(int) for each in (image, expected))
    assert ours.shape == theirs.shape
    return int(np.abs(ours - theirs).max())


def test_it_has_the_size_of_the_image(pyramid: Path) -> None:
    assert pyramid_size(pyramid) == SIZE


@pytest.mark.parametrize(
    ("region", "size"),
    [
        ("full", "max"),
        ("full", "300,225"),
        ("full", "601,451"),
        ("full", "17,300"),
        ("1024,512,179,389", "90,195"),
        ("0,0,512,512", "512,512"),
        ("512,0,512,512", "256,256"),
        ("37,41,100,90", "33,30"),
        ("1202,900,1,1", "1,1"),
        ("0,0,1203,1", "5,1"),
    ],
)
def test_parts_show_what_is_there(pyramid: Path, pixels: np.ndarray, region: str, size: str) -> None:
    rendering = read_request(region, size, "0", "default.png", SIZE)
    x, y, width, height = rendering.region
    whole = Image.fromarray(pixels)
    expected = whole.resize(rendering.size, Image.Resampling.BOX, box=(x, y, x + width, y + height))
    # JPEG in between, whose last block is padded, other filters, and half a pixel of the smallest scale.
    got = _got(pyramid, region, size, "0", "default.png")
    assert _far(got, expected) <= 16
    assert np.abs(np.asarray(got).astype(int) - np.asarray(expected)).mean() < (2 if got.width > 1 else 16)


@pytest.mark.parametrize(
    ("rotation", "turns"),
    [
        ("90", [Image.Transpose.ROTATE_270]),
        ("180", [Image.Transpose.ROTATE_180]),
        ("270", [Image.Transpose.ROTATE_90]),
        ("!0", [Image.Transpose.FLIP_LEFT_RIGHT]),
        ("!90", [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_270]),
    ],
)
def test_it_is_mirrored_first_and_turned_clockwise(pyramid: Path, rotation: str, turns: list[Image.Transpose]) -> None:
    expected = _got(pyramid, "full", "200,150", "0", "default.png")
    for turn in turns:
        expected = expected.transpose(turn)
    assert _far(_got(pyramid, "full", "200,150", rotation, "default.png"), expected) == 0


def test_qualities(pyramid: Path) -> None:
    assert _got(pyramid, "full", "50,", "0", "color.jpg").mode == "RGB"
    gray = _got(pyramid, "full", "50,", "0", "gray.jpg")
    assert (gray.mode, gray.format) == ("L", "JPEG")
    bitonal = _got(pyramid, "full", "50,", "0", "bitonal.png")
    assert (bitonal.mode, bitonal.getcolors() is not None) == ("1", True)
    assert {value for _, value in bitonal.convert("L").getcolors()} == {0, 255}


def test_nothing_of_the_file_goes_along(pyramid: Path) -> None:
    kept = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}
    assert _got(pyramid, "full", "50,", "0", "default.jpg").info.keys() <= kept


def test_a_damaged_file_is_one_clear_error(tmp_path: Path, pyramid: Path) -> None:
    damaged = tmp_path / "d.tif"
    data = pyramid.read_bytes()
    damaged.write_bytes(data[: len(data) // 3])
    with pytest.raises(DecodeError, match="damaged"):
        render(damaged, read_request("full", "max", "0", "default.jpg", SIZE))
    damaged.write_bytes(b"<html>")
    with pytest.raises(DecodeError, match="damaged"):
        pyramid_size(damaged)


def test_libvips_is_loaded_when_it_is_needed_and_keeps_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path; import limner.operations.images.shelf\n"
        "from limner.operations.images.pyramids import save_pyramid; from limner.sources.protocol import Picture\n"
        "assert 'pyvips' not in sys.modules\n"
        f"save_pyramid(Picture(np.zeros((9, 9, 3), np.uint8), 9, 9), Path({str(tmp_path / 'x.tif')!r}))\n"
        "import pyvips; assert (pyvips.cache_get_max(), pyvips.concurrency_get()) == (0, 1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
