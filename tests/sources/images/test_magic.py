from __future__ import annotations

import io
import tarfile
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import features

from limner.sources.images.magic import IMAGES, Media, describe, identify
from tests.sources.image_files import encoded, gradient, tiff_pages

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize(
    ("kind", "media"),
    [(kind, Media[kind]) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000", "AVIF")],
)
def test_images_that_pillow_writes(kind, media):
    if not features.check({"JPEG2000": "jpg_2000", "AVIF": "avif"}.get(kind, "jpg")):
        pytest.skip(f"this Pillow writes no {kind}")
    assert identify(encoded(gradient(), kind)) is media
    assert media in IMAGES


def test_other_byte_orders_and_layouts():
    assert identify(tiff_pages((3, 3), big_tiff=True)) is Media.TIFF
    assert identify(b"MM\x00\x2a\x00\x00\x00\x08") is Media.TIFF
    assert identify(encoded(gradient(), "JPEG2000", no_jp2=True)) is Media.JPEG2000


@pytest.mark.parametrize(
    ("head", "media"),
    [
        (b"", Media.EMPTY),
        (b" \n\t", Media.EMPTY),
        (b"%PDF-1.4\n", Media.PDF),
        (b"\r\nrubbish in front\n%PDF-1.4", Media.PDF),
        (b"\x1f\x8b\x08", Media.ARCHIVE),
        (b"\x00\x00\x00\x18ftypheic", Media.HEIC),
        (b"\x00\x00\x00\x18ftypmif1\0\0\0\0mif1heic", Media.HEIC),
        (b"\x00\x00\x00\x1cftypmif1\0\0\0\0mif1avif", Media.AVIF),
        (b"\x00\x00\x00\x18ftypisom", Media.VIDEO),
        (b"8BPS\x00\x01", Media.PSD),
        (b"<!doctype HTML>", Media.HTML),
        (b"\xef\xbb\xbf\n<html lang='fr'>", Media.HTML),
        (b"<!-- a --><!-- b -->\n<HTML>", Media.HTML),
        (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML">', Media.HTML),
        (SVG, Media.SVG),
        (b'<?xml version="1.0"?><!-- drawn --><!DOCTYPE svg>' + SVG, Media.SVG),
        (b"<svgish/>", Media.XML),
        (b'<?xml version="1.0"?><alto>', Media.XML),
        (b'  {"@context": 1}', Media.JSON),
        (b"[1]", Media.JSON),
        (b"https://example.org/1.jpg\n", Media.TEXT),
        (b"BM is how this text begins, it is long enough", Media.TEXT),
        ("Été à Orléans".encode(), Media.TEXT),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", None),
        (b"\xff\xfe<\x00h\x00", None),
    ],
)
def test_other_content(head, media):
    assert identify(head) is media


def test_archives():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", "b")
    assert identify(out.getvalue()) is Media.ZIP
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as file:
        file.addfile(tarfile.TarInfo("a"))
    assert identify(tar.getvalue()) is Media.ARCHIVE


def test_a_letter_may_be_cut_off_at_the_end():
    assert identify("abcé".encode()[:-1]) is Media.TEXT
    assert identify(b"abc\xc3 and more text") is None


def test_descriptions():
    assert describe(b"<html>") == "a web page (HTML)"
    assert describe(b"\x00\x01\xfe") == "data of an unknown kind (it begins with 00 01 fe)"


def test_many_comments_do_not_take_for_ever():
    start = time.process_time()
    assert identify(b"<!---->" * 300 + b"x") is Media.XML
    assert time.process_time() - start < 5  # it would be years


@given(st.binary(max_size=64))
def test_any_bytes_have_a_description(head):
    assert describe(head)
