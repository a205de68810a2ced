from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.formats.markup import (
    MADE,
    child,
    children,
    clean,
    descendants,
    from_xml_id,
    local,
    node,
    numbers,
    numeral,
    parse_xml,
    point_list,
    points,
    score_numeral,
    serialise,
    xml_id,
)
from limner.core.errors import FormatError

ANYTHING = st.text(st.characters(exclude_categories=()))


def reread(text: str) -> ET.Element:
    return parse_xml(text, "a.xml", "root", "test")


@given(ANYTHING)
def test_any_text_survives_except_what_xml_cannot_hold(text: str):
    root = ET.Element("root")
    node(root, "inner", {"value": text}, text)
    inner = reread(serialise(root))[0]
    assert inner.get("value") == clean(text)
    assert (inner.text or "") == clean(text)


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_forbidden_characters_show_as_replaced(character: str):
    assert clean(f"a{character}b") == "a\ufffdb"


@pytest.mark.parametrize("character", ["\t", "\n", "\r", "\x7f", "\x85", "\u2028", "é", "\U0001f600"])
def test_allowed_characters_stay(character: str):
    assert clean(character) == character


@given(st.text())
def test_any_identifier_becomes_an_xml_id_and_back(identifier: str):
    written = xml_id(identifier)
    # A name as XML 1.0 wants it in attributes of the type ID.
    assert ET.fromstring(f"<{written}/>").tag == written
    assert from_xml_id(written) == identifier
    assert not written.startswith(MADE)


@pytest.mark.parametrize("identifier", ["line_1", "r1", "eSc_line_3.b", "_x"])
def test_identifiers_that_are_ids_stay_as_they_are(identifier: str):
    assert xml_id(identifier) == from_xml_id(identifier) == identifier


def test_identifiers_of_others_are_not_changed():
    assert from_xml_id("r_2a_") == "r_2a_"
    assert from_xml_id("id-_ffffff_") == "_ffffff_"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        "<root>",
        '<!DOCTYPE r [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><root>&b;</root>',
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><root>&x;</root>',
    ],
)
def test_what_is_no_safe_xml_is_refused_by_the_name_of_its_file(text: str):
    with pytest.raises(FormatError, match=r"a\.xml is no XML that can be read"):
        reread(text)


def test_another_root_is_refused():
    with pytest.raises(FormatError, match=r"a\.xml is no test file: its root is <other>, not <root>\."):
        reread("<other/>")


def test_a_byte_order_mark_and_a_doctype_are_passed_over():
    assert local(reread('\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE root><root/>')) == "root"


def test_elements_are_found_by_local_name():
    root = reread('<root xmlns="a" xmlns:b="b"><b:x/><y><x/></y></root>')
    assert [local(each) for each in children(root, "x", "y")] == ["x", "y"]
    assert child(root, "z") is None
    assert child(None, "x") is None
    assert len(list(descendants(root, "x"))) == 2


def test_numbers_are_short():
    assert [numeral(value) for value in (1.0, 0.5, 1 / 3, -2.0, 1e7)] == ["1", "0.5", "0.333", "-2", "10000000"]
    assert [score_numeral(value) for value in (0.0, 1.0, 0.5, 0.00001, 0.123456)] == [
        "0",
        "1",
        "0.5",
        "0.00001",
        "0.12346",
    ]


@pytest.mark.parametrize("text", ["1,2 3,4", "1 2 3 4", "1,2,3,4", " 1.0, 2  3 ,4e0 "])
def test_points_are_read_however_they_are_parted(text: str):
    assert points(text) == ((1, 2), (3, 4))


def test_half_a_point_is_refused():
    with pytest.raises(FormatError, match="3 numbers make no points"):
        points("1,2 3")
    assert numbers("-.5 +2. 1e-3") == [-0.5, 2, 0.001]


def test_points_are_written_with_commas():
    assert point_list([(1, 2), (3.5, 4.0)]) == "1,2 3.5,4"
