"""XML written and read: what ALTO, PAGE and hOCR share.

Elements are looked up by their local name, whatever the namespace: files in use name many versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.etree import ElementTree as ET

import defusedxml
import defusedxml.ElementTree

from limner.annotations.serial import number
from limner.annotations.shapes import Point
from limner.core.errors import FormatError

#: What XML 1.0 cannot hold, not even as a reference; stands for it: U+FFFD.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
#: Identifiers that Limner makes up begin with this; they are no annotation's.
MADE = "limner-"
_ENCODED = "id-"
_PLAIN_ID = re.compile(r"(?!limner-|id-)[A-Za-z_][A-Za-z0-9_.-]*")
_ESCAPE = re.compile(r"_(10[0-9a-f]{4}|[0-9a-f]{1,5})_")


def clean(text: str) -> str:
    """The text with U+FFFD for each character that XML 1.0 cannot hold."""
    return _FORBIDDEN.sub("\ufffd", text)


def node(
    parent: ET.Element, tag: str, attributes: Mapping[str, str | None] | None = None, text: str | None = None
) -> ET.Element:
    """A new element at the end of another; attributes that are None are left out."""
    element = ET.SubElement(parent, tag, filled(attributes or {}))
    element.text = None if text is None else clean(text)
    return element


def filled(attributes: Mapping[str, str | None]) -> dict[str, str]:
    """The attributes that have a value, cleaned."""
    return {name: clean(value) for name, value in attributes.items() if value is not None}


def serialise(root: ET.Element) -> str:
    """A whole document, indented; texts keep every white space, carriage returns included."""
    ET.indent(root)
    # In attributes ElementTree escapes carriage returns; one that is left stands in a text, where a
    # reader would take it for a line feed.
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode").replace("\r", "&#13;")


def parse_xml(text: str, path: str, name: str, title: str) -> ET.Element:
    """The root of a document, which has that name; raises `FormatError` naming the file."""
    try:
        root: ET.Element = defusedxml.ElementTree.fromstring(text.lstrip("\ufeff \t\r\n"), forbid_dtd=False)
    except (ET.ParseError, defusedxml.DefusedXmlException, ValueError) as error:
        raise FormatError(f"{path} is no XML that can be read: {error}") from error
    if local(root) != name:
        raise FormatError(f"{path} is no {title} file: its root is <{local(root)}>, not <{name}>.")
    return root


def local(element: ET.Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: ET.Element, *names: str) -> Iterator[ET.Element]:
    """The direct children of some names."""
    return (child for child in element if local(child) in names)


def child(element: ET.Element | None, name: str) -> ET.Element | None:
    """The first direct child of a name."""
    return None if element is None else next(children(element, name), None)


def descendants(element: ET.Element, *names: str) -> Iterator[ET.Element]:
    """The elements of some names at any depth, in document order."""
    return (inner for inner in element.iter() if local(inner) in names)


def numeral(value: float) -> str:
    """A number as text: whole ones without a fraction, others to a thousandth."""
    return str(number(value))


def score_numeral(score: float) -> str:
    """A score to five places, never with an exponent."""
    return f"{score:.5f}".rstrip("0").rstrip(".")


def numbers(text: str) -> list[float]:
    """All numbers in a text, whatever parts them."""
    return [float(match) for match in _NUMBER.findall(text)]


def points(text: str) -> tuple[Point, ...]:
    """Points written ``x,y x,y`` or ``x y x y``; raises `FormatError` where a number is left over."""
    values = numbers(text)
    if len(values) % 2:
        raise FormatError(f"{len(values)} numbers make no points: {text[:60]!r}.")
    return tuple(zip(values[::2], values[1::2], strict=True))


def point_list(points: Iterable[Sequence[float]]) -> str:
    """Points as ``x,y x,y``."""
    return " ".join(f"{numeral(x)},{numeral(y)}" for x, y in points)


def xml_id(identifier: str) -> str:
    """An identifier as an XML ID; `from_xml_id` turns it back."""
    if _PLAIN_ID.fullmatch(identifier):
        return identifier
    return _ENCODED + re.sub(r"[^A-Za-z0-9.-]", lambda match: f"_{ord(match[0]):x}_", identifier)


def from_xml_id(value: str) -> str:
    """The identifier behind an XML ID; an ID that is not ours stays as it is."""
    if not value.startswith(_ENCODED):
        return value
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), value.removeprefix(_ENCODED))
