from __future__ import annotations

import io
import struct
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, features

from limner.core.errors import DecodeError, SourceError, TooLargeError
from limner.core.settings import Settings
from limner.sources.decode import EncodedBytes, EncodedFile, decode_bytes, decode_file, decode_frame
from limner.sources.protocol import Want
from tests.sources.image_files import decoded, encoded, far_apart, gradient, jpeg, png_claiming, tiff_pages

LOSSLESS = [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})]
LOSSY = [("JPEG", {"quality": 95}), ("WEBP", {"quality": 95})]
if features.check("jpg_2000"):
    LOSSLESS.append(("JPEG2000", {}))
if features.check("avif"):
    LOSSY.append(("AVIF", {"quality": 95}))
CUT = [*LOSSLESS, *LOSSY, ("GIF", {})]


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_kinds_come_out_exactly(kind, options):
    image = gradient()
    picture = decoded(encoded(image, kind, **options))
    assert far_apart(picture.pixels, image) == 0
    assert (picture.width, picture.height) == (60, 40)


@pytest.mark.parametrize(("kind", "options"), LOSSY)
def test_lossy_kinds_come_out_nearly(kind, options):
    image = gradient()
    picture = decoded(encoded(image, kind, **options))
    assert far_apart(picture.pixels, image) < 30
    assert np.abs(picture.pixels.astype(int) - np.asarray(image)).mean() < 4


def test_pixels_are_contiguous_rgb_that_may_be_written():
    pixels = decoded(jpeg()).pixels
    assert pixels.shape == (40, 60, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_images_are_turned_upright(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif} | ({"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {})
    data = encoded(gradient(), kind, **options)
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    picture = decoded(data)
    assert (picture.width, picture.height) == upright.size == ((60, 40) if orientation < 5 else (40, 60))
    assert far_apart(picture.pixels, upright) == 0


def test_a_turned_image_is_turned_when_it_is_reduced():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = decoded(encoded(gradient(1200, 800), "JPEG", exif=exif), 200)
    assert (picture.width, picture.height) == (800, 1200)
    assert picture.pixels.shape[:2] == (300, 200)


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"rubbish" * 20]
)
def test_damaged_exif_does_no_harm(exif):
    data = jpeg()
    with_exif = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    assert far_apart(decoded(with_exif).pixels, decoded(data).pixels) == 0


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    wanted=st.integers(1, 800),
    kind=st.sampled_from(["JPEG", "PNG", "JPEG2000"]),
)
def test_a_reduced_image_has_the_wanted_side_and_not_twice_of_it(width, height, wanted, kind):
    if kind == "JPEG2000" and not features.check("jpg_2000"):
        return
    picture = decoded(encoded(Image.new("RGB", (width, height), "red"), kind), wanted)
    got, longest = max(picture.pixels.shape[:2]), max(width, height)
    assert (picture.width, picture.height) == (width, height)
    assert got >= min(wanted, longest)
    assert got < 2 * wanted or got == 1
    assert picture.pixels.shape[0] >= 1
    assert picture.pixels.shape[1] >= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_reduced_image_looks_like_the_whole(kind):
    image = gradient(1600, 1200)
    picture = decoded(encoded(image, kind), 250)
    assert max(picture.pixels.shape) == (400 if kind == "JPEG" else 267)
    small = image.resize(picture.pixels.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(picture.pixels.astype(int) - np.asarray(small)).mean() < 3


def test_no_side_wanted_is_full_size():
    assert decoded(jpeg(900, 700)).pixels.shape == (700, 900, 3)


@pytest.mark.parametrize("data", [png_claiming(40_000, 40_000), encoded(Image.new("1", (9000, 9000)), "PNG")])
def test_too_many_pixels_are_refused_before_memory_is_taken(data):
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError, match=r"max_pixels"):
            decoded(data, 640, max_pixels=80_000_000)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_the_bomb_is_named_with_its_size():
    with pytest.raises(TooLargeError, match=r"40,000 × 40,000 pixels, 1,600,000,000 in all"):
        decoded(png_claiming(40_000, 40_000))


def test_a_header_that_lies_within_the_limit_is_found_out():
    with pytest.raises(DecodeError, match="PNG"):
        decoded(png_claiming(10_000, 10_000))


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
def test_pillows_own_limit_is_not_in_the_way(kind, monkeypatch):
    data = encoded(Image.new("L", (300, 200)), kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decoded(data).pixels.shape == (200, 300, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize(("kind", "options"), CUT)
@pytest.mark.parametrize("part", [0.2, 0.6, 0.9])
def test_what_is_cut_off_is_refused(kind, options, part):
    data = encoded(Image.effect_noise((200, 160), 90).convert("RGB"), kind, **options)
    with pytest.raises(DecodeError, match=r"cannot be decoded"):
        decoded(data[: int(len(data) * part)])


def test_a_cut_off_file_says_where_it_ends(tmp_path):
    path = tmp_path / "page 7.jpg"
    path.write_bytes(encoded(Image.effect_noise((200, 160), 90), "JPEG")[:5000])
    with pytest.raises(
        DecodeError, match=r"^page 7\.jpg cannot be decoded: it is a JPEG that breaks off after 5,000 bytes\.$"
    ):
        decode_file(path, Want(), Settings())


def test_a_damaged_file_says_what_it_is():
    data = bytearray(encoded(Image.effect_noise((200, 160), 90), "PNG"))
    data[2000:2100] = bytes(100)
    with pytest.raises(DecodeError, match="a PNG that"):
        decoded(bytes(data))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"%PDF-1.7\n", "a PDF"),
        (b'{"error": 404}', "a JSON file"),
        (bytes(range(200, 240)), "of an unknown kind"),
    ],
)
def test_what_is_no_image_is_named(data, what):
    with pytest.raises(DecodeError, match=what):
        decoded(data)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(CUT), st.data())
def test_damaged_bytes_never_raise_anything_else(kind_options, draw):
    kind, options = kind_options
    data = bytearray(encoded(gradient(24, 16), kind, **options))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        picture = decoded(bytes(data), max_pixels=1_000_000)
    except SourceError:
        return
    assert picture.pixels.dtype == np.uint8


def test_the_pages_of_a_tiff_have_their_own_sizes():
    data = tiff_pages((60, 40), (30, 50), (20, 20), compression="tiff_deflate")
    sizes = []
    for frame in range(3):
        picture = decode_frame(io.BytesIO(data), frame, Want(), Settings(), name="scan.tif")
        assert far_apart(picture.pixels, gradient(picture.width, picture.height)) == 0
        sizes.append((picture.width, picture.height))
    assert sizes == [(60, 40), (30, 50), (20, 20)]


def test_a_page_that_a_tiff_does_not_have():
    with pytest.raises(DecodeError, match=r"scan\.tif"):
        decode_frame(io.BytesIO(tiff_pages((9, 9))), 4, Want(), Settings(), name="scan.tif")


def test_of_an_animation_the_first_picture_is_read():
    data = encoded(gradient(), "GIF", save_all=True, append_images=[Image.new("RGB", (60, 40), "red")])
    assert far_apart(decoded(data).pixels, decoded(encoded(gradient(), "GIF")).pixels) == 0


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SourceError, match=r"gone\.jpg cannot be read: No such file"):
        decode_file(tmp_path / "gone.jpg", Want(), Settings())


def test_a_file_that_may_not_be_read(tmp_path, unprivileged):
    path = tmp_path / "secret.jpg"
    path.write_bytes(jpeg())
    path.chmod(0)
    with unprivileged(), pytest.raises(SourceError, match=r"secret\.jpg cannot be read: Permission denied"):
        decode_file(path, Want(), Settings())


def test_encoded_images_decode_themselves(tmp_path: Path):
    path = tmp_path / "pages.tif"
    path.write_bytes(tiff_pages((60, 40), (30, 50)))
    assert EncodedFile(path, Settings(), frame=1).decode(Want()).width == 30
    assert EncodedBytes(path.read_bytes(), Settings(), frame=1).decode(Want()).width == 30
    with pytest.raises(DecodeError, match=r"^f\. 1 is empty"):
        EncodedBytes(b"", Settings(), name="f. 1").decode(Want())


def test_many_threads_get_the_same_pixels():
    files = [encoded(gradient(300, 200), kind, **options) for kind, options in CUT]
    expected = [decoded(data, 100).pixels for data in files]
    start = threading.Barrier(4)

    def work(_: int) -> list[int]:
        start.wait(10)
        return [
            far_apart(decode_bytes(data, Want(100), Settings()).pixels, expected[at]) for at, data in enumerate(files)
        ]

    with ThreadPoolExecutor(4) as pool:
        assert [differences for differences in pool.map(work, range(4)) if any(differences)] == []


def test_decoding_leaves_nothing_open(tmp_path):
    path = tmp_path / "page.tif"
    path.write_bytes(tiff_pages((60, 40), (30, 50), compression="tiff_lzw"))
    before = open_files()
    for _ in range(20):
        decode_file(path, Want(), Settings(), frame=1)
    assert open_files() <= before + 1


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_nothing_is_printed_over_a_broken_file(capfd):
    for kind, options in CUT:
        data = encoded(gradient(), kind, **options)
        with pytest.raises(DecodeError):
            decoded(data[: len(data) // 2])
    assert capfd.readouterr() == ("", "")
