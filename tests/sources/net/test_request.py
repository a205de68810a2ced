from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.sources.net.request import Kind, shown


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://iiif.example.org/manifest.json", "https://iiif.example.org/manifest.json"),
        ("https://iiif.example.org/a?token=secret", "https://iiif.example.org/a?…"),
        ("https://user:secret@iiif.example.org:8443/a#part", "https://iiif.example.org:8443/a"),
        ("http://a/\x1b[31mred", "http://a/[31mred"),
        ("http://[::1", "an address that cannot be read"),
    ],
)
def test_what_is_shown_of_an_address(url, text):
    assert shown(url) == text


@given(st.text(), st.text(alphabet="abcdefgh", min_size=1))
def test_no_secret_is_shown_and_no_end_of_text(path, secret):
    text = shown(f"http://name:SECRET{secret}@host/{path}?key=SECRET{secret}")
    assert f"SECRET{secret}" not in text.replace(path, "")
    assert len(text) <= 200
    assert text.isprintable()


def test_only_images_are_images():
    assert [kind for kind in Kind if kind.is_image] == [Kind.FULL_IMAGE, Kind.IMAGE]
