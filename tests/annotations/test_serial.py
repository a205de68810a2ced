import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.annotation import Annotation, ByModel, ByPerson
from limner.annotations.document import AnnotatedPage
from limner.annotations.masks import mask_from_array, mask_to_array
from limner.annotations.page import Canvas, Page
from limner.annotations.serial import (
    annotated_page_from_plain,
    annotated_page_to_plain,
    annotation_from_plain,
    annotation_to_plain,
    box_to_plain,
    number,
    page_from_plain,
    provenance_from_plain,
    rounded_ring,
    shape_from_plain,
    shape_to_plain,
)
from limner.annotations.shapes import Box, Mask, Polygon
from limner.core.errors import FormatError, LimnerError, ShapeError
from tests.annotations.strategies import annotated_pages, annotations

coordinates = st.floats(-1e5, 1e5)


@given(annotated_pages(canvas=True))
def test_a_page_comes_back_through_json(page: AnnotatedPage) -> None:
    assert annotated_page_from_plain(json.loads(json.dumps(annotated_page_to_plain(page)))) == page


@given(annotations())
def test_an_annotation_comes_back_through_json(annotation: Annotation) -> None:
    assert annotation_from_plain(json.loads(json.dumps(annotation_to_plain(annotation)))) == annotation


@pytest.mark.parametrize(("value", "written"), [(1.0, "1"), (0.1 + 0.2, "0.3"), (-0.0001, "0"), (2.34567, "2.346")])
def test_numbers_are_short(value: float, written: str) -> None:
    assert json.dumps(number(value)) == written


@given(coordinates, coordinates, st.floats(1e-9, 1e5), st.floats(1e-9, 1e5))
def test_any_box_can_be_read_again(x: float, y: float, width: float, height: float) -> None:
    box = Box(x, y, width, height)
    read = shape_from_plain({"box": box_to_plain(box)})
    assert all(math.isclose(a, b, abs_tol=0.0011) for a, b in zip(read.corners, box.corners, strict=True))


@given(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=5), st.sampled_from([1, 1e-5, 1e-9]))
def test_any_polygon_can_be_read_again(points: list[tuple[float, float]], scale: float) -> None:
    try:
        polygon = Polygon(tuple((x * scale, y * scale) for x, y in points))
    except ShapeError:
        return
    read = shape_from_plain(shape_to_plain(polygon))
    for mine, theirs in zip(read.bounds.corners, polygon.bounds.corners, strict=True):
        assert math.isclose(mine, theirs, abs_tol=0.0011)


def test_a_ring_is_rounded_unless_it_would_lose_its_area() -> None:
    assert rounded_ring(((0.00001, 0), (1.23456, 0), (1, 1))) == ((0, 0), (1.235, 0), (1, 1))
    speck = ((0.0, 0.0), (0.0001, 0.0), (0.0, 0.0001))
    assert rounded_ring(speck) == speck


def test_the_forms_of_shapes_as_documented() -> None:
    ring = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.5))
    hole = ((3.0, 1.0), (3.5, 1.0), (3.5, 2.0))
    mask = Mask(3, 2, (1, 2, 3))
    assert shape_to_plain(Box(1, 2.5, 3, 4)) == {"box": [1, 2.5, 3, 4]}
    assert shape_to_plain(Polygon(ring)) == {"polygon": [[0, 0], [4, 0], [4, 4.5]]}
    assert shape_to_plain(Polygon(ring, (hole,)))["holes"] == [[[3, 1], [3.5, 1], [3.5, 2]]]
    assert shape_to_plain(mask) == {"mask": {"size": [2, 3], "counts": "123"}}
    assert (mask_from_array(mask_to_array(mask))) == mask


def test_keys_that_would_hold_nothing_are_left_out() -> None:
    annotation = Annotation(id="1", shape=Box(0, 0, 1, 1), label="x")
    assert annotation_to_plain(annotation) == {"id": "1", "label": "x", "box": [0, 0, 1, 1]}
    page = Page(id="p", name="p.jpg", index=0)
    assert annotated_page_to_plain(AnnotatedPage(page)) == {
        "page": {"id": "p", "name": "p.jpg", "index": 0, "width": 0, "height": 0},
        "annotations": [],
    }


def test_the_form_of_everything_as_documented() -> None:
    made = ByModel("page-elements", "2", "ab", {"threshold": 0.5})
    annotation = Annotation(
        id="1", shape=Box(0, 0, 1, 1), label="x", score=1 / 3, text="t", attributes={"k": None}, provenance=made
    )
    canvas = Canvas("https://example.org/c", 20, 10.5, Box(1, 2, 3, 4))
    page = Page(id="p", name="p.jpg", index=3, width=9, height=8, source="s", label="f. 1", canvas=canvas)
    assert annotated_page_to_plain(AnnotatedPage(page, (annotation,), "late")) == {
        "page": {
            "id": "p",
            "name": "p.jpg",
            "index": 3,
            "width": 9,
            "height": 8,
            "source": "s",
            "label": "f. 1",
            "canvas": {"id": "https://example.org/c", "width": 20, "height": 10.5, "target": [1, 2, 3, 4]},
        },
        "annotations": [
            {
                "id": "1",
                "label": "x",
                "box": [0, 0, 1, 1],
                "score": 0.33333,
                "text": "t",
                "attributes": {"k": None},
                "provenance": {
                    "model": "page-elements",
                    "version": "2",
                    "weights": "ab",
                    "parameters": {"threshold": 0.5},
                },
            }
        ],
        "error": "late",
    }
    assert provenance_from_plain({"person": "Ada"}) == ByPerson("Ada")


def test_an_annotation_without_id_gets_one() -> None:
    assert annotation_from_plain({"label": "x", "box": [0, 0, 1, 1]}).id


GOOD: dict[str, Any] = {"label": "x", "box": [0, 0, 1, 1]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"box": [0, 0, 1]}, "needs a box, a polygon or a mask"),
        ({"box": [0, 0, 0, 1]}, "no area"),
        ({"box": ["a", 0, 1, 1]}, "could not convert"),
        ({"box": None, "polygon": [[0, 0], [1]]}, "cannot be read"),
        ({"box": None, "mask": {"size": [2, 3], "counts": "P"}}, "short form"),
        ({"box": None, "mask": {"size": [math.inf, 3], "counts": "1"}}, "cannot be read"),
        ({"label": ""}, "label and an id"),
        ({"label": 3}, "'label' is no text"),
        ({"id": 3}, "'id' is no text"),
        ({"text": ["a"]}, "'text' is no text"),
        ({"score": "high"}, "cannot be read"),
        ({"score": 2}, "between 0 and 1"),
        ({"attributes": 3}, "cannot be read"),
        ({"provenance": {"model": "m"}}, "model and its version"),
    ],
)
def test_what_is_wrong_with_an_annotation_is_said(change: dict[str, Any], reason: str) -> None:
    with pytest.raises((FormatError, ShapeError), match=reason):
        annotation_from_plain(GOOD | change)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(FormatError, match=r"An annotation lacks 'label'\."):
        annotation_from_plain({"box": [0, 0, 1, 1]})
    with pytest.raises(FormatError, match=r"A page lacks 'index'\."):
        page_from_plain({"id": "p", "name": "p"})
    with pytest.raises(FormatError, match=r"A line lacks 'page'\."):
        annotated_page_from_plain({})


KEYS = ["page", "id", "name", "index", "label", "box", "polygon", "holes", "mask", "size", "counts", "canvas", "target"]
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "page",
                    "id",
                    "name",
                    "index",
                    "label",
                    "box",
                    "polygon",
                    "holes",
                    "mask",
                    "size",
                    "counts",
                    "score",
                    "canvas",
                    "target",
                ]
            ),
            inner,
        )
    ),
    max_leaves=10,
)


@given(plain_values, plain_values, plain_values)
def test_whatever_it_holds_it_is_read_or_refused(page: Any, shape: Any, more: Any) -> None:
    good = {"id": "p", "name": "p", "index": 0}
    for plain in (
        {"page": page, "annotations": [shape]},
        {"page": good | (page if isinstance(page, dict) else {}), "annotations": [{"label": "x", "polygon": shape}]},
        {"page": good, "annotations": [{"label": "x", "box": shape, "mask": more, "score": more}], "error": more},
        more,
    ):
        try:
            annotated_page_from_plain(plain)
        except LimnerError:
            continue
