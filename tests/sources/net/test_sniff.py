from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from limner.sources.net.sniff import looks_like_image, looks_like_json, looks_like_page, page_title

FORMATS = ["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP"] + (["JPEG2000"] if features.check("jpg_2000") else [])


@pytest.mark.parametrize("name", FORMATS)
def test_images_made_by_pillow_are_recognised(name):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, name)
    assert looks_like_image(file.getvalue())
    assert not looks_like_page(file.getvalue())


@pytest.mark.parametrize(
    "head",
    [
        b"<!DOCTYPE html><html>",
        b"\xef\xbb\xbf\r\n <HTML lang=en>",
        b"<!-- blocked -->\n<!-- --><html>",
        b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN">',
        b"<script>location='/challenge'</script>",
        b"<head><title>x",
    ],
)
def test_web_pages_are_recognised(head):
    assert looks_like_page(head)


@pytest.mark.parametrize("head", [b"", b"{}", b"<svg>", b"<?xml version='1.0'?><alto>", b"<htmlish", b"%PDF-1.7"])
def test_other_things_are_no_web_page(head):
    assert not looks_like_page(head)


@pytest.mark.timeout(20)
def test_a_page_made_to_be_slow_is_not():
    assert not looks_like_page(b"<!---->" * 600)
    assert not looks_like_page(b"<!-- " + b"--> " * 1000)
    assert page_title(b"<title" * 10_000) == ""


@pytest.mark.parametrize(
    ("page", "title"),
    [
        (b"<title>Just a moment...</title>", "Just a moment..."),
        (b"<TITLE lang='en'>\n Access \t denied &amp; logged</TITLE>", "Access denied & logged"),
        (b"<title>\x1b[2Jx&#27;</title>", "[2Jx"),
        ("<title>Accès refusé</title>".encode(), "Accès refusé"),
        (b"<title>" + b"a" * 300 + b"</title>", "a" * 80),
        (b"<title>no end", ""),
        (b"", ""),
    ],
)
def test_titles(page, title):
    assert page_title(page) == title


@given(st.binary(max_size=300))
def test_any_bytes_can_be_looked_at(head):
    assert page_title(head).isprintable()
    assert isinstance(looks_like_page(head) or looks_like_image(head) or looks_like_json(head), bool)


def test_json_is_recognised_after_a_byte_order_mark():
    assert looks_like_json(b'\xef\xbb\xbf\n{"a": 1}')
    assert looks_like_json(b"[1]")
    assert not looks_like_json(b"a{")
