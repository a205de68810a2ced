import math

import pytest
from hypothesis import given

from limner.annotations.formats.svg import read_svg, svg_of
from limner.annotations.shapes import Box, Polygon, ring_area
from limner.core.errors import FormatError
from tests.annotations.strategies import polygons

NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'


def bounds(text: str) -> tuple[float, ...]:
    (ring,) = read_svg(text).rings
    return Polygon(ring).bounds.corners


@given(polygons(holes=True))
def test_a_polygon_is_one_absolute_path_and_comes_back(polygon: Polygon):
    text = svg_of([polygon])
    assert text.count("<path") == 1
    assert set("".join(c for c in text.split(' d="')[1].split('"')[0] if c.isalpha())) == {"M", "L", "Z"}
    assert read_svg(text).rings == polygon.rings
    assert not read_svg(text).is_rectangle


def test_the_form_of_the_path():
    triangle = Polygon(((0, 0), (10, 0), (5, 9.5)))
    assert svg_of([triangle, triangle]) == (
        f'<svg {NAMESPACE}><path fill-rule="evenodd" d="M 0,0 L 10,0 L 5,9.5 Z M 0,0 L 10,0 L 5,9.5 Z"/></svg>'
    )


def test_numbers_are_short_and_have_no_exponent():
    tiny = Polygon(((0.00001, -0.00001), (1e7, 1 / 3), (12345678.9, 5.0)))
    assert ' d="M 0,0 L 10000000,0.333 L 12345678.9,5 Z"' in svg_of([tiny])
    assert ' d="M 0.00001,-0.00001 L 10000000,0.33333 L' in svg_of([tiny], 5)


@pytest.mark.parametrize(
    ("text", "corners"),
    [
        (f'<svg {NAMESPACE}><polygon points="1,2 11,2 11,7"/></svg>', (1, 2, 11, 7)),
        ('<svg><polygon points="1 2 11 2 11 7"></polygon></svg>', (1, 2, 11, 7)),
        ("<svg><polyline points='1,2 11,2 11,7'/></svg>", (1, 2, 11, 7)),
        ('<rect x="1" y="2" width="10" height="5"/>', (1, 2, 11, 7)),
        ('<svg><rect width="10px" height="5"/></svg>', (0, 0, 10, 5)),
        ('<svg><circle cx="50" cy="60" r="10"/></svg>', (40, 50, 60, 70)),
        ('<svg><ellipse cx="50" cy="60" rx="20" ry="10"/></svg>', (30, 50, 70, 70)),
        ('<svg:svg xmlns:svg="http://www.w3.org/2000/svg"><svg:path d="M1,2h10v5z"/></svg:svg>', (1, 2, 11, 7)),
        ('<svg:svg><svg:path d="M1,2h10v5z"/></svg:svg>', (1, 2, 11, 7)),
        ('<?xml version="1.0"?><!DOCTYPE svg><svg><path d="M1,2h10v5z"/></svg>', (1, 2, 11, 7)),
        ('<svg><defs><path d="M0,0h99v99z"/></defs><g><g><path d="M1,2h10v5z"/></g></g></svg>', (1, 2, 11, 7)),
        ('<svg><line x1="0" y1="0" x2="9" y2="9"/><path d="M1,2h10v5z"/></svg>', (1, 2, 11, 7)),
        (
            '<svg><g transform="translate(10 20)"><rect width="4" height="5" transform="scale(2)"/></g></svg>',
            (10, 20, 18, 30),
        ),
        ('<svg><rect width="4" height="2" transform="rotate(90)"/></svg>', (-2, 0, 0, 4)),
        ('<svg><rect width="4" height="2" transform="rotate(180 2 1)"/></svg>', (0, 0, 4, 2)),
        ('<svg><rect width="4" height="2" transform="matrix(1,0,0,1,5,6) translate(1)"/></svg>', (6, 6, 10, 8)),
        (
            f'<svg {NAMESPACE}><path {NAMESPACE} d="M1,2l10,0l0,5z" data-paper-data="{{&quot;a&quot;:0}}"/></svg>',
            (1, 2, 11, 7),
        ),
    ],
)
def test_drawings_of_all_elements_are_read(text: str, corners: tuple[float, ...]):
    assert bounds(text) == pytest.approx(corners, abs=0.3)


@pytest.mark.parametrize("radius", [3, 50, 3000])
def test_a_circle_is_off_by_no_more_than_a_quarter(radius: int):
    (ring,) = read_svg(f'<svg><circle cx="0" cy="0" r="{radius}"/></svg>').rings
    middle = math.dist((0, 0), ((ring[0][0] + ring[1][0]) / 2, (ring[0][1] + ring[1][1]) / 2))
    assert radius - 0.25 <= middle <= radius
    assert len(ring) < 400


@pytest.mark.parametrize(
    ("text", "is_rectangle"),
    [
        ('<svg><rect width="4" height="2"/></svg>', True),
        ('<svg><rect width="4" height="2" transform="translate(3)"/></svg>', True),
        ('<svg><rect width="4" height="2" transform="rotate(30)"/></svg>', False),
        ('<svg><rect width="4" height="2"/><rect width="4" height="2"/></svg>', False),
        ('<svg><path d="M0,0h4v2h-4z"/></svg>', False),
    ],
)
def test_only_a_rectangle_drawn_as_such_is_one(text: str, is_rectangle: bool):
    assert read_svg(text).is_rectangle is is_rectangle


def test_a_rotated_rectangle_keeps_its_area():
    (ring,) = read_svg('<svg><rect x="5" y="6" width="40" height="20" transform="rotate(33 25 16)"/></svg>').rings
    assert abs(ring_area(ring)) == pytest.approx(800)
    assert Polygon(ring).bounds.iou(Box(5, 6, 40, 20)) > 0.3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no svg",
        "<svg><path",
        "<svg/>",
        '<svg><path d=""/></svg>',
        '<svg><line x1="0" y1="0" x2="9" y2="9"/></svg>',
        '<svg><polygon points="1,2 3,4"/></svg>',
        '<svg><polygon points="1,2 3,4 5"/></svg>',
        '<svg><circle cx="1" cy="1" r="0"/></svg>',
        '<svg><rect width="50%" height="9"/></svg>',
        '<svg><rect width="4" height="2" transform="skewX(3)"/></svg>',
        '<!DOCTYPE s [<!ENTITY a "b">]><svg>&a;</svg>',
        "<svg>" + "<g>" * 200 + '<rect width="4" height="2"/>' + "</g>" * 200 + "</svg>",
    ],
)
def test_what_encloses_nothing_is_refused(text: str):
    with pytest.raises(FormatError, match=r"its (SVG|path|points)|numbers make no points"):
        read_svg(text)


def test_a_huge_circle_takes_few_points():
    assert len(read_svg('<svg><circle cx="0" cy="0" r="1e300"/></svg>').rings[0]) < 2000
