from __future__ import annotations

import base64
import hashlib
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import DecodeError, TooLargeError
from limner.sources.base64 import BASE64, data_of
from limner.sources.protocol import SOURCES
from tests.sources.documents import all_of, limited, picture_of
from tests.sources.image_files import encoded, far_apart, gradient, jpeg, tiff_pages

PNG = encoded(gradient(), "PNG")
BARE = base64.b64encode(PNG).decode()
FORMS = {
    "data URL": f"data:image/png;base64,{BARE}",
    "data URL in capitals": f"DATA:image/png;BASE64,{BARE}",
    "data URL with parameters": f"data:image/png;name=a.png;base64,{BARE}",
    "data URL without a type": f"data:;base64,{BARE}",
    "data URL in percent": f"data:image/png;base64,{BARE.replace('+', '%2B').replace('=', '%3D')}",
    "data URL without base64": "data:image/png," + "".join(f"%{byte:02X}" for byte in PNG),
    "bare": BARE,
    "without padding": BARE.rstrip("="),
    "wrapped": textwrap.fill(BARE, 76) + "\n",
    "for addresses": base64.urlsafe_b64encode(PNG).decode(),
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_gives_the_image(form, context):
    assert BASE64.accepts(FORMS[form])
    (document,) = await all_of(BASE64.open(FORMS[form], context))
    (handle,) = document.handles
    digest = hashlib.sha256(PNG).hexdigest()
    assert document.id == handle.page.id == f"sha256:{digest}"
    assert handle.page.name == f"image-{digest[:8]}.png"
    assert handle.page.source == f"a PNG of {len(PNG):,} bytes given as text"
    picture = await picture_of(handle)
    assert far_apart(picture.pixels, gradient()) == 0


def test_it_is_registered():
    assert SOURCES.get("base64") is BASE64


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"])
def test_bare_base64_is_known_by_what_it_holds(kind):
    assert BASE64.accepts(base64.b64encode(encoded(gradient(), kind)).decode())


@pytest.mark.parametrize(
    "spec",
    [
        *("", "-", "page.jpg", "/9j/4AAQ", "https://example.org/a", "a" * 4000, "é" * 100),
        base64.b64encode(b"<html>" * 20).decode(),
        BARE[:200] + "!" + BARE[200:],
    ],
)
def test_other_text_is_left_to_others(spec):
    assert not BASE64.accepts(spec)


def test_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = base64.urlsafe_b64encode(jpeg()).decode()[:60]
    assert BASE64.accepts(name)
    (tmp_path / name).touch()
    assert not BASE64.accepts(name)


async def test_a_tiff_gives_all_its_pages(context):
    spec = "data:image/tiff;base64," + base64.b64encode(tiff_pages((60, 40), (30, 50))).decode()
    (document,) = await all_of(BASE64.open(spec, context))
    assert [handle.page.id.partition("#")[2] for handle in document.handles] == ["page=1", "page=2"]
    assert [(await picture_of(handle)).width for handle in document.handles] == [60, 30]
    assert len({handle.page.name for handle in document.handles}) == 2


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("data:text/html,<html>", "a web page"),
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,", "is empty"),
        ("data:image/png;base64,@@@@", "no valid base64"),
        ("data:image/png;base64,AAAAA", "no valid base64"),
        ("data:application/pdf;base64," + base64.b64encode(b"%PDF-1.4\n").decode(), "is a PDF"),
    ],
)
async def test_what_is_no_image_says_why(spec, reason, context):
    with pytest.raises(DecodeError, match=reason):
        await all_of(BASE64.open(spec, context))


async def test_too_much(context):
    few = limited(context, fetch_max_bytes=100)
    with pytest.raises(TooLargeError, match="more than 100 bytes"):
        await all_of(BASE64.open(BARE, few))


@given(st.binary(max_size=300), st.booleans())
def test_bytes_come_back(data, padded):
    text = base64.b64encode(data).decode()
    assert data_of(f"data:;base64,{text if padded else text.rstrip('=')}", 1000) == data
