from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from limner.core.errors import TooLargeError
from limner.sources.images.tiff import directories, exif_orientation, page_frames
from tests.sources.image_files import encoded, gradient, tiff_pages

SUBFILE, OLD_SUBFILE = 254, 255


def tagged(*tags: dict[int, int]) -> bytes:
    """A TIFF with one page for each of these, that has these tags."""
    out = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(out) as writer:
        for page in tags:
            info = TiffImagePlugin.ImageFileDirectory_v2()
            for tag, value in page.items():
                info[tag] = value
                info.tagtype[tag] = 4 if tag == SUBFILE else 3
            gradient(8, 8).save(writer, "TIFF", tiffinfo=info)
            writer.newFrame()
    return out.getvalue()


def frames(data: bytes, limit: int = 100) -> list[int]:
    return page_frames(io.BytesIO(data), limit)


@pytest.mark.parametrize("big", [False, True])
def test_each_directory_is_a_page(big):
    assert frames(tiff_pages((9, 9), (8, 8), (7, 7), big_tiff=big)) == [0, 1, 2]


def test_directories_tell_what_pillow_tells():
    data = tiff_pages((19, 9), (8, 18))
    with Image.open(io.BytesIO(data)) as image:
        for index, tags in enumerate(directories(io.BytesIO(data))):
            image.seek(index)
            assert (tags[256], tags[257]) == (image.tag_v2[256], image.tag_v2[257]) == image.size
    assert index == 1


def test_smaller_versions_and_masks_are_no_pages():
    assert frames(tagged({}, {SUBFILE: 1}, {SUBFILE: 2}, {SUBFILE: 4}, {OLD_SUBFILE: 2}, {OLD_SUBFILE: 1})) == [0, 2, 5]


def test_a_file_of_smaller_versions_alone_has_a_page():
    assert frames(tagged({SUBFILE: 1})) == [0]


def test_too_many_pages():
    data = tiff_pages(*[(3, 3)] * 5)
    assert len(frames(data, 5)) == 5
    with pytest.raises(TooLargeError, match="more than 4 pages"):
        frames(data, 4)


@pytest.mark.parametrize(
    "data", [b"", b"II", b"II*\0", b"II*\0\x08\0\0\0", b"II*\0\x08\0\0\0\xff\xff", b"PK\x03\x04" * 9]
)
def test_what_is_cut_off_has_one_page(data):
    assert frames(data) == [0]


def test_a_circle_of_directories_ends():
    entry = struct.pack("<HHII", 256, 4, 1, 5)
    data = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 8)
    assert list(directories(io.BytesIO(data))) == [{256: 5}]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_orientation_in_either_byte_order(order, prefix):
    mark = b"II" if order == "<" else b"MM"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, 6, 0)
    exif = prefix + mark + struct.pack(order + "HIH", 42, 8, 1) + entry + bytes(4)
    assert exif_orientation(exif) == 6


def test_orientation_as_pillow_writes_it():
    exif = Image.Exif()
    exif[0x0112] = 8
    with Image.open(io.BytesIO(encoded(gradient(), "JPEG", exif=exif))) as image:
        assert exif_orientation(image.info["exif"]) == 8


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_there_is_not(value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert exif_orientation(exif.tobytes()) == 1


@given(st.binary(max_size=200))
def test_rubbish_is_upright_and_one_page(data):
    assert 1 <= exif_orientation(b"II*\0\x08\0\0\0" + data) <= 8
    assert page_frames(io.BytesIO(b"MM\0*\0\0\0\x08" + data), 1000)[:1]
