"""Regions as AIKON reads them: the contract's example to the letter, and boxes at the edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import UsageError
from limner.operations.foreign.regions import Postprocess, code, entry, in_canvas_order, parse_postprocess


def _page(name: str = "0001.jpg", index: int = 0, width: int = 1912, height: int = 2500) -> Page:
    return Page(id=name, name=name, index=index, width=width, height=height, source="https://lib.example/1.jpg")


def test_the_example_of_the_contract() -> None:
    found = Annotation(shape=Box(866, 422, 429, 626), label="illustration", score=0.8)
    labels = ["illustration"]
    assert entry(AnnotatedPage(_page(), (found,)), "wit1_man1", labels, Postprocess()) == {
        "source": "0001.jpg",
        "source_info": {
            "id": "0001.jpg",
            "src": "https://lib.example/1.jpg",
            "path": "images/0001.jpg",
            "metadata": {"page": 1},
        },
        "width": 1912,
        "height": 2500,
        "doc_uid": "wit1_man1",
        "crops": [
            {
                "bbox": "gb638390",
                "crop_id": "0001.jpg-gb638390",
                "source": "0001.jpg",
                "confidence": 0.8,
                "class": {"id": 0, "label": "illustration"},
                "absolute": {"x1": 866, "y1": 422, "x2": 1295, "y2": 1048, "width": 429, "height": 626},
                "relative": {
                    "x1": 0.4529,
                    "y1": 0.1688,
                    "x2": 0.6773,
                    "y2": 0.4192,
                    "width": 0.2244,
                    "height": 0.2504,
                },
            }
        ],
    }


@given(st.floats(0, 1))
def test_a_fraction_comes_back_within_half_a_step(fraction: float) -> None:
    coded = code(fraction)
    assert len(coded) == 2
    assert abs(int(coded, 36) / 1295 - fraction) <= 0.5 / 1295 + 1e-12


def test_boxes_are_cut_at_the_page_and_those_beside_it_left_out() -> None:
    shapes = (Box(-10, -10, 30, 30), Box(1900, 2490, 500, 500), Box(3000, 3000, 5, 5))
    found = tuple(Annotation(shape=shape, label="x") for shape in shapes)
    crops = entry(AnnotatedPage(_page(), found), "d", ["a"], Postprocess())["crops"]
    assert [crop["bbox"] for crop in crops] == ["00000e0a", "zrzu0805"]
    assert [crop["class"]["id"] for crop in crops] == [-1, -1]


def test_a_page_of_unknown_size_keeps_its_place_without_crops() -> None:
    found = Annotation(shape=Box(0, 0, 5, 5), label="x")
    assert entry(AnnotatedPage(_page(width=0, height=0), (found,)), "d", (), Postprocess())["crops"] == []


def test_missing_canvases_get_an_empty_entry() -> None:
    pages = [AnnotatedPage(_page("a.jpg", 2)), AnnotatedPage(_page("b.jpg", 4))]
    assert [each.page.name for each in in_canvas_order(pages)] == ["0001.jpg", "0002.jpg", "a.jpg", "0004.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, (100, 100, 40, 20)),
        ({}, (100, 100, 40, 20)),
        ({"squarify": True}, (100, 90, 40, 40)),
        ({"h_margin": 0.25}, (90, 100, 60, 20)),
        ({"v_margin": "0.5"}, (100, 90, 40, 40)),
        ({"squarify": "true", "h_margin": 0.5, "v_margin": None}, (80, 90, 80, 40)),
        ('{"squarify": true}', (100, 90, 40, 40)),
        ("squarify", (100, 90, 40, 40)),
        ("watermarks", (98, 88, 44, 44)),
        ("none", (100, 100, 40, 20)),
        ("", (100, 100, 40, 20)),
    ],
)
def test_boxes_are_widened_about_their_middle(asked: object, expected: tuple[float, ...]) -> None:
    box = parse_postprocess(asked)(Box(100, 100, 40, 20))
    assert (box.x, box.y, box.width, box.height) == pytest.approx(expected)


@pytest.mark.parametrize("asked", ["sharpen", [1], 3, {"h_margin": "wide"}, {"v_margin": 11}, {"h_margin": "nan"}])
def test_what_is_not_known_is_refused(asked: object) -> None:
    with pytest.raises(UsageError):
        parse_postprocess(asked)


def test_what_is_kept_with_a_job_comes_back() -> None:
    chosen = Postprocess(squarify=True, h_margin=0.5)
    assert Postprocess(**chosen.plain()) == chosen
