"""Every layout of samples that a file can have, through the whole decoder."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from limner.sources.images.modes import flatten, to_eight_bits
from tests.sources.image_files import decoded, encoded, far_apart, gradient

RAMP = np.linspace(0, 65_535, 256).round().astype(np.uint16).reshape(16, 16)
GREY = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)


def tags(**values: int) -> TiffImagePlugin.ImageFileDirectory_v2:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in values.items():
        number = {"photometric": 262, "highest": 281}[name]
        info[number] = value
        info.tagtype[number] = 3
    return info


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled(kind):
    assert far_apart(decoded(encoded(Image.fromarray(RAMP), kind)).pixels, GREY) == 0


def test_sixteen_bits_with_the_high_byte_first():
    image = Image.frombytes("I;16B", (16, 16), RAMP.astype(">u2").tobytes())
    assert far_apart(decoded(encoded(image, "TIFF")).pixels, GREY) == 0


def test_twelve_bits_kept_in_sixteen():
    ramp = np.linspace(0, 4095, 256).round().astype(np.uint16).reshape(16, 16)
    pixels = decoded(encoded(Image.fromarray(ramp), "TIFF", tiffinfo=tags(highest=4095))).pixels
    assert far_apart(pixels, GREY) == 0


def test_a_highest_sample_that_makes_no_sense_is_not_believed():
    pixels = decoded(encoded(Image.fromarray(RAMP), "TIFF", tiffinfo=tags(highest=1))).pixels
    assert far_apart(pixels, GREY) == 0


def test_sixteen_bits_where_white_is_zero():
    data = bytearray(encoded(Image.fromarray(RAMP), "TIFF"))
    at = data.index(b"\x06\x01\x03\x00")  # the entry of PhotometricInterpretation
    assert data[at + 8] == 1
    data[at + 8] = 0
    assert far_apart(decoded(bytes(data)).pixels, 255 - GREY) == 0


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_colour(kind):
    cv2 = pytest.importorskip("cv2")
    colours = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=-1)
    done, data = cv2.imencode(f".{kind.lower()}", colours[..., ::-1])
    assert done
    assert far_apart(decoded(data.tobytes()).pixels, (colours / 257).round()) <= 1


def test_fractions_between_zero_and_one_are_the_whole_range():
    image = Image.fromarray(np.full((4, 4), 0.5, np.float32))
    assert set(decoded(encoded(image, "TIFF")).pixels.ravel()) == {128}


def test_other_fractions_go_from_the_lowest_to_the_highest():
    values = np.linspace(-300, 700, 256, dtype=np.float32).reshape(16, 16)
    assert far_apart(decoded(encoded(Image.fromarray(values), "TIFF")).pixels, GREY) == 0


def test_numbers_that_are_none():
    values = np.array([[np.nan, -np.inf], [np.inf, 5], [10, 0]], np.float32)
    pixels = decoded(encoded(Image.fromarray(values), "TIFF")).pixels[..., 0]
    assert pixels.tolist() == [[0, 0], [255, 128], [255, 0]]
    nothing = Image.fromarray(np.full((2, 2), np.nan, np.float32))
    assert not decoded(encoded(nothing, "TIFF")).pixels.any()


def test_the_largest_fractions_there_are():
    edge = float(np.finfo(np.float32).max)
    values = np.array([[-edge, edge]], np.float32)
    assert decoded(encoded(Image.fromarray(values), "TIFF")).pixels[0, :, 0].tolist() == [0, 255]


def test_whole_numbers_of_32_bits_and_one_value_alone():
    values = np.linspace(-1000, 70_000, 256).astype(np.int32).reshape(16, 16)
    assert far_apart(decoded(encoded(Image.fromarray(values), "TIFF")).pixels, GREY) <= 1
    flat = Image.fromarray(np.full((2, 2), 7, np.int32))
    assert set(decoded(encoded(flat, "TIFF")).pixels.ravel()) == {0}


def test_cmyk_of_photoshop():
    """A JPEG in CMYK is stored inverted, with Adobe's mark; cyan must not come out as red."""
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert far_apart(decoded(encoded(cyan, "JPEG", quality=95)).pixels[:1, :1], [[[0, 255, 255]]]) < 6
    assert far_apart(decoded(encoded(cyan, "TIFF")).pixels[:1, :1], [[[0, 255, 255]]]) == 0


def test_black_in_cmyk_is_black():
    black = Image.new("CMYK", (16, 16), (0, 0, 0, 255))
    assert decoded(encoded(black, "JPEG")).pixels.max() < 6


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_what_is_transparent_is_white(kind):
    image = gradient().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    image.paste((10, 20, 30, 255), (0, 0, 30, 40))
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = decoded(encoded(image, kind, **options)).pixels
    assert pixels[5, 5].tolist() == [10, 20, 30]
    assert pixels[5, 50].tolist() == [255, 255, 255]


def test_half_transparent():
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert set(decoded(encoded(image, "PNG")).pixels.ravel()) == {127}


def test_hidden_colours_do_not_bleed_when_reduced():
    """Red that is wholly transparent beside opaque white must not turn pink."""
    image = Image.new("RGBA", (400, 400), (255, 0, 0, 0))
    image.paste((255, 255, 255, 255), (0, 0, 203, 400))
    assert decoded(encoded(image, "PNG"), 50).pixels.min() == 255


def test_grey_with_alpha():
    image = Image.merge("LA", [Image.new("L", (8, 8), 40), Image.new("L", (8, 8), 0)])
    assert set(decoded(encoded(image, "PNG")).pixels.ravel()) == {255}


def test_palettes():
    image = gradient().quantize(16)
    assert far_apart(decoded(encoded(image, "PNG")).pixels, image.convert("RGB")) == 0
    assert far_apart(decoded(encoded(image, "GIF")).pixels, image.convert("RGB")) == 0


@pytest.mark.parametrize("transparency", [1, bytes([255, 0])])
def test_palette_with_transparency(transparency):
    image = Image.new("P", (4, 2), 0)
    image.putpalette([200, 0, 0, 0, 200, 0])
    image.paste(1, (2, 0, 4, 2))
    pixels = decoded(encoded(image, "PNG", transparency=transparency)).pixels
    assert pixels[0].tolist() == [[200, 0, 0]] * 2 + [[255, 255, 255]] * 2


@pytest.mark.parametrize(("mode", "colour", "hidden"), [("RGB", (1, 2, 3), (1, 2, 3)), ("L", 7, 7)])
def test_one_colour_that_counts_as_transparent(mode, colour, hidden):
    image = Image.new(mode, (4, 4), colour)
    assert set(decoded(encoded(image, "PNG", transparency=hidden)).pixels.ravel()) == {255}


@pytest.mark.parametrize("options", [{"kind": "PNG"}, {"kind": "TIFF", "compression": "group4"}])
def test_black_and_white(options):
    image = Image.new("1", (64, 64), 1)
    image.paste(0, (0, 0, 32, 64))
    data = encoded(image, **options)
    assert decoded(data).pixels[3, [3, 60]].tolist() == [[0] * 3, [255] * 3]
    assert decoded(data, 16).pixels[3, [3, 12]].tolist() == [[0] * 3, [255] * 3]


def test_fine_lines_in_black_and_white_become_grey_when_reduced():
    lines = np.zeros((64, 64), bool)
    lines[:, ::2] = True
    assert set(decoded(encoded(Image.fromarray(lines), "PNG"), 16).pixels.ravel()) <= {127, 128}


def test_jpeg_inside_a_tiff():
    pixels = decoded(encoded(gradient(), "TIFF", compression="jpeg", quality=95)).pixels
    assert np.abs(pixels.astype(int) - np.asarray(gradient())).mean() < 4


def test_lab_in_a_tiff():
    lightness, neutral = gradient().convert("L"), Image.new("L", (60, 40), 128)
    pixels = decoded(encoded(Image.merge("LAB", [lightness, neutral, neutral]), "TIFF")).pixels
    assert np.abs(np.diff(pixels.astype(int), axis=2)).max() <= 12  # grey stays grey
    assert pixels[0, 0].max() < pixels[-1, -1].min()


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]
)
def test_every_mode_of_pillow_becomes_rgb(mode):
    image = flatten(to_eight_bits(Image.new(mode, (5, 4))))
    assert (image.mode, image.size) == ("RGB", (5, 4))
