from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import NotIIIFError
from limner.sources.iiif.jsonld import canonical_url, first, ident, kind, number, parse_json, size, text


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("f. 12v", "f. 12v"),
        ("  f. 12v ", "f. 12v"),
        (["a", "b"], "a; b"),
        ({"@value": "Plate"}, "Plate"),
        ([{"@value": "Tafel", "@language": "de"}, {"@value": "Plate", "@language": "en"}], "Tafel"),
        ({"fr": ["Planche"], "en": ["Plate"]}, "Planche"),
        ({"none": [], "en": ["Plate"]}, "Plate"),
        ({"@none": ["001r"]}, "001r"),
        ({"en": "Plate"}, "Plate"),
        (12, "12"),
        (None, ""),
        (True, ""),
        ({}, ""),
        ([None, [], {}], ""),
        ({"en": [{"@value": "deep"}]}, "deep"),
    ],
)
def test_labels_of_every_shape_have_their_text(label, expected):
    assert text(label) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"@type": "sc:Manifest"}, "Manifest"),
        ({"type": "Manifest"}, "Manifest"),
        ({"@type": "http://iiif.io/api/presentation/2#Manifest"}, "Manifest"),
        ({"@type": ["", "oa:Choice"]}, "Choice"),
        ({"type": 3}, ""),
        ("Manifest", ""),
    ],
)
def test_types_come_without_their_namespace(value, expected):
    assert kind(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("62651", 62651.0),
        (3, 3.0),
        *[(value, 0.0) for value in (0, -4, "wide", True, None, 1e300, float("nan"), 10**400, [5])],
    ],
)
def test_numbers_are_above_zero_or_nothing(value, expected):
    assert number(value) == expected


def test_a_size_has_both_sides_or_none():
    assert size({"width": "10", "height": 20.2}) == (10, 20)
    assert size({"width": 10}) == (0, 0)
    assert size("10x20") == (0, 0)


def test_ids_are_found_wherever_they_stand():
    assert ident({"@id": "a", "id": "b"}) == "a"
    assert ident({"@id": "", "id": "b"}) == "b"
    assert ident([{}, {"id": "c"}]) == "c"
    assert ident("d") == "d"
    assert ident(5) == ""


def test_the_first_key_that_says_something_counts():
    assert first({"images": [], "items": [1]}, "images", "items") == [1]
    assert first({}, "images") is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.org/Châteauroux/f 1.jpg", "https://a.org/Ch%C3%A2teauroux/f%201.jpg"),
        ("https://a.org/x%2Fy%20z/info.json", "https://a.org/x%2Fy%20z/info.json"),
        ("https://a.org/100%/x", "https://a.org/100%25/x"),
        ("https://a.org/x#xywh=1,2,3,4", "https://a.org/x"),
        (
            "https://a.org/ark:/12148/full/!200,200/0/default.jpg",
            "https://a.org/ark:/12148/full/!200,200/0/default.jpg",
        ),
        ("https://a.org/?id=ä|1&b=2", "https://a.org/?id=%C3%A4%7C1&b=2"),
        ("http://[bad/", ""),
    ],
)
def test_addresses_are_quoted_once(url, expected):
    assert canonical_url(url) == expected
    assert canonical_url(expected) == expected


@given(st.text(max_size=60))
def test_quoting_twice_is_quoting_once(path):
    once = canonical_url(f"https://a.org/{path}")
    assert canonical_url(once) == once


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_is_read_in_every_encoding(encoding):
    assert parse_json('{"label": "é"}'.encode(encoding), "x") == {"label": "é"}


@pytest.mark.parametrize("data", [b"", b"<html>", b"{", b"\xff\xfe\xff", b'{"a": 1' + b"0" * 5000 + b"}"])
def test_what_is_no_json_is_no_iiif(data):
    with pytest.raises(NotIIIFError, match=r"page\.html is no IIIF"):
        parse_json(data, "page.html")


@pytest.mark.parametrize("levels", [101, 5000, 200_000])
def test_endless_nesting_is_refused_not_followed(levels):
    with pytest.raises(NotIIIFError):
        parse_json("[" * levels + "]" * levels, "x")


def test_what_json_has_no_words_for_comes_out_as_text_that_can_be_written():
    value = parse_json('{"label": "half \\ud800 here", "width": NaN}', "x")
    assert value["width"] is None
    assert json.dumps(value, ensure_ascii=False).encode()
