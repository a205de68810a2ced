import math

import pytest

from limner.annotations.formats.svg_path import path_rings
from limner.annotations.shapes import ring_area
from limner.core.errors import FormatError

SQUARE = ((0, 0), (4, 0), (4, 4), (0, 4))


@pytest.mark.parametrize(
    "path",
    [
        "M 0,0 L 4,0 L 4,4 L 0,4 Z",
        "M0 0L4 0L4 4L0 4Z",
        "M0,0 4,0 4,4 0,4z",
        "m0,0 4,0 0,4 -4,0z",
        "M0,0H4V4H0Z",
        "m0,0h4v4h-4z",
        "M0-0L4-0 4,4 0,4Z",
        "  M.0,.0,4.,0L4e0,4L0,+4  ",
    ],
)
def test_every_spelling_of_a_square(path: str):
    assert path_rings(path) == [SQUARE]


def test_subpaths_are_lines_of_their_own():
    assert path_rings("M0,0h4v4h-4z m1,1h2v2h-2z") == [SQUARE, ((1, 1), (3, 1), (3, 3), (1, 3))]
    assert path_rings("M0,0h4v4h-4 M9,9h4v4h-4") == [SQUARE, ((9, 9), (13, 9), (13, 13), (9, 13))]
    assert path_rings("M0,0h4v4h-4z l2,2 0,2z")[1] == ((0, 0), (2, 2), (2, 4))


@pytest.mark.parametrize(
    "path",
    [
        "M10,0 C10,5.523 5.523,10 0,10 S-10,5.523 -10,0 -5.523,-10 0,-10 10,-5.523 10,0 Z",
        "M10,0 c0,5.523 -4.477,10 -10,10 s-10,-4.477 -10,-10 4.477,-10 10,-10 10,4.477 10,10 z",
        "M10,0 A10,10 0 0 1 -10,0 A10,10 0 0 1 10,0 Z",
        "M10,0 a10 10 0 01-20 0 10 10 0 0120 0z",
        "M10,0 A10,10 0 1,0 -10,0 A5,5 0 1,0 10,0 Z",
    ],
)
def test_every_spelling_of_a_circle(path: str):
    (ring,) = path_rings(path)
    assert abs(ring_area(ring)) == pytest.approx(math.pi * 100, rel=0.02)
    assert all(9.8 <= math.hypot(x, y) <= 10.1 for x, y in ring)


def test_quadratic_curves_and_their_smooth_form():
    (ring,) = path_rings("M0,0 Q5,10 10,0 T20,0 Z")
    assert max(y for _, y in ring) == pytest.approx(5, abs=0.1)
    assert min(y for _, y in ring) == pytest.approx(-5, abs=0.1)
    (straight,) = path_rings("M0,0 T10,0 10,10 Z")
    assert {(0, 0), (10, 0), (10, 10)} <= set(straight)


def test_a_turned_ellipse():
    (ring,) = path_rings("M0,-20 A20,10 90 0 1 0,20 A20,10 90 0 1 0,-20 Z")
    assert max(x for x, _ in ring) == pytest.approx(10, abs=0.1)


def test_arcs_without_extent_are_lines():
    assert path_rings("M0,0 A0,5 0 0 1 4,0 L4,4 A5,5 0 0 1 4,4 Z") == [((0, 0), (4, 0), (4, 4), (4, 4))]


@pytest.mark.parametrize("path", ["5,5", "M0,0 L5", "M0,0 X5,5", "M0,0 L5,5 Z 3", "M0,0 A1,1 0 2 0 5,5", "M,"])
def test_what_is_no_path_is_refused(path: str):
    with pytest.raises(FormatError, match="its path"):
        path_rings(path)


def test_nothing_drawn_is_nothing():
    assert path_rings("") == path_rings("M5,5") == path_rings("M5,5 Z") == []
