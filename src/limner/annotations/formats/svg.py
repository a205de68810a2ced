"""Areas as SVG, written as one path and read from all the elements that people draw with.

Curves are flattened: no point of the outline is off by more than about a quarter of a unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from xml.etree import ElementTree as ET

import defusedxml
import defusedxml.ElementTree

from limner.annotations.formats.markup import local, numbers, points
from limner.annotations.formats.svg_path import path_rings
from limner.annotations.shapes import Point, Polygon
from limner.core.errors import FormatError

#: An affine map (a, b, c, d, e, f): x' = ax + cy + e, y' = bx + dy + f.
Matrix: TypeAlias = tuple[float, float, float, float, float, float]
Attributes: TypeAlias = Mapping[str, str]
_IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)
_TRANSFORM = re.compile(r"(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^)]*)\)")
#: How far a flattened ellipse may be from the true one, in its own units.
_OFF = 0.25
#: Larger radii get no more points, and groups that lie deeper in each other are refused.
_LARGEST = 1e5
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a drawing shows: closed lines, and whether it is one upright rectangle drawn as such."""

    rings: tuple[tuple[Point, ...], ...]
    is_rectangle: bool = False


def svg_of(polygons: Iterable[Polygon], places: int = 3) -> str:
    """A drawing with exactly one path: an absolute ``M … L … Z`` for each line, holes by the even-odd rule.

    Coordinates have that many decimal places at most.
    """
    path = " ".join(_subpath(ring, places) for polygon in polygons for ring in polygon.rings)
    return f'<svg xmlns="http://www.w3.org/2000/svg"><path fill-rule="evenodd" d="{path}"/></svg>'


def _subpath(ring: Iterable[Point], places: int) -> str:
    return "M " + " L ".join(f"{_short(x, places)},{_short(y, places)}" for x, y in ring) + " Z"


def _short(value: float, places: int) -> str:
    """Never with an exponent, which viewers take for a command."""
    text = f"{value:.{places}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def read_svg(text: str) -> Drawn:
    """The closed lines of a drawing; raises `FormatError` where it is no SVG or encloses nothing."""
    root = _parsed(text)
    shown = list(_shown(root, _IDENTITY))
    rings = tuple(ring for element, matrix in shown for ring in _mapped(_rings(element), matrix) if len(set(ring)) >= 3)
    if not rings:
        raise FormatError("its SVG encloses no area.")
    is_rectangle = len(shown) == 1 and local(shown[0][0]) == "rect" and shown[0][1][1] == shown[0][1][2] == 0
    return Drawn(rings, is_rectangle)


def _parsed(text: str) -> ET.Element:
    """The root element; a bare shape, and a prefix that nobody declares, are accepted as in viewers."""
    wrapped = re.sub(r"<(/?)svg:", r"<\1", text.strip())
    try:
        root: ET.Element = defusedxml.ElementTree.fromstring(f"<g>{re.sub(r'<[?!][^>]*>', '', wrapped)}</g>")
    except (ET.ParseError, defusedxml.DefusedXmlException, ValueError) as error:
        raise FormatError(f"its SVG cannot be read: {error}.") from error
    return root


def _shown(element: ET.Element, outer: Matrix, depth: int = 0) -> Iterator[tuple[ET.Element, Matrix]]:
    """The shapes in a drawing, each with the map into the drawing's coordinates."""
    if depth > _DEEPEST:
        raise FormatError("its SVG has groups too deep in each other.")
    matrix = _product(outer, _matrix(element.get("transform", "")))
    if local(element) in _SHAPES:
        yield element, matrix
    if local(element) not in ("defs", "clipPath", "mask", "symbol", "marker", "pattern"):
        for inner in element:
            yield from _shown(inner, matrix, depth + 1)


def _rings(element: ET.Element) -> Iterable[tuple[Point, ...]]:
    return _SHAPES[local(element)](element.attrib)


def _rectangle(attributes: Attributes) -> list[tuple[Point, ...]]:
    x, y, width, height = (_length(attributes, name) for name in ("x", "y", "width", "height"))
    return [((x, y), (x + width, y), (x + width, y + height), (x, y + height))]


def _ellipse(attributes: Attributes) -> list[tuple[Point, ...]]:
    rx, ry = (_length(attributes, name if name in attributes else "r") for name in ("rx", "ry"))
    cx, cy = _length(attributes, "cx"), _length(attributes, "cy")
    if rx <= 0 or ry <= 0:
        return []
    # A chord over 2π/n is off by r(1 - cos(π/n)).
    radius = max(1.0, min(max(rx, ry), _LARGEST))
    count = max(12, math.ceil(math.pi / math.acos(1 - _OFF / radius)))
    turns = [2 * math.pi * i / count for i in range(count)]
    return [tuple((cx + rx * math.cos(turn), cy + ry * math.sin(turn)) for turn in turns)]


def _length(attributes: Attributes, name: str) -> float:
    values = numbers(attributes.get(name, "0"))
    if "%" in attributes.get(name, "") or len(values) != 1:
        raise FormatError(f"its SVG has a length that cannot be used: {name}={attributes.get(name)!r}.")
    return values[0]


_SHAPES: dict[str, Callable[[Attributes], Iterable[tuple[Point, ...]]]] = {
    "path": lambda attributes: path_rings(attributes.get("d", "")),
    "polygon": lambda attributes: [points(attributes.get("points", ""))],
    "polyline": lambda attributes: [points(attributes.get("points", ""))],
    "rect": _rectangle,
    "circle": _ellipse,
    "ellipse": _ellipse,
}


def _mapped(rings: Iterable[tuple[Point, ...]], matrix: Matrix) -> Iterator[tuple[Point, ...]]:
    a, b, c, d, e, f = matrix
    for ring in rings:
        yield tuple((a * x + c * y + e, b * x + d * y + f) for x, y in ring)


def _matrix(transform: str) -> Matrix:
    matrix = _IDENTITY
    for name, arguments in _TRANSFORM.findall(transform):
        matrix = _product(matrix, _single(name, numbers(arguments)))
    return matrix


def _single(name: str, values: list[float]) -> Matrix:
    match name, values:
        case "matrix", [a, b, c, d, e, f]:
            return (a, b, c, d, e, f)
        case "translate", [x, *rest]:
            return (1, 0, 0, 1, x, rest[0] if rest else 0)
        case "scale", [x, *rest]:
            return (x, 0, 0, rest[0] if rest else x, 0, 0)
        case "rotate", [degrees, *centre]:
            cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            x, y = centre if len(centre) == 2 else (0.0, 0.0)
            return (cos, sin, -sin, cos, x - cos * x + sin * y, y - sin * x - cos * y)
    raise FormatError(f"its SVG has a transformation that cannot be used: {name}.")


def _product(left: Matrix, right: Matrix) -> Matrix:
    a, b, c, d, e, f = left
    g, h, i, j, k, m = right
    return (a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * m + e, b * k + d * m + f)
