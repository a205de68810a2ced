from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.annotation import Json
from limner.annotations.formats.selectors import (
    Fragment,
    area_of,
    centre_of,
    fragment_of,
    plain_types,
    polygons_from_rings,
    shapes_of,
    target_of,
    targets,
)
from limner.annotations.formats.svg import Drawn, read_svg
from limner.annotations.masks import mask_from_array, mask_to_array, mask_to_polygons, polygons_to_array
from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box, Mask, Polygon
from limner.core.errors import FormatError, ShapeError
from tests.annotations.strategies import boxes, masks, polygons

PAGE = Page(id="p", name="p.jpg", index=0, width=100, height=100)
ON_CANVAS = replace(PAGE, canvas=Canvas("https://x.example/c", 400, 300, Box(200, 0, 200, 200)))
SVG = '<svg><path d="M0,0 L10,0 L10,10 Z"/></svg>'
RECTANGLE = '<svg><rect x="1" y="2" width="3" height="4"/></svg>'


def read(target: Json, page: Page = PAGE) -> list:
    return [shape for _, selector in targets(target) for shape in shapes_of(area_of(selector), page)]


@given(boxes(whole=True))
def test_a_box_of_whole_pixels_comes_back(box: Box):
    target = target_of(box, PAGE, "https://x.example/c")
    assert target == f"https://x.example/c#xywh={box.x:.0f},{box.y:.0f},{box.width:.0f},{box.height:.0f}"
    assert read(target) == [box]


@given(boxes())
def test_other_boxes_come_back_to_the_nearest_pixel(box: Box):
    (again,) = read(target_of(box, PAGE, "https://x.example/c"))
    assert all(abs(a - b) <= 1 for a, b in zip(box.corners, again.corners, strict=True))


@given(polygons(), polygons(holes=True), st.booleans())
def test_polygons_come_back_with_their_holes(plain: Polygon, holed: Polygon, is_plain: bool):
    polygon = plain if is_plain else holed
    assert read(target_of(polygon, PAGE, "https://x.example/c")) == [polygon]


@given(masks())
def test_masks_come_back_to_about_a_pixel(mask: Mask):
    (again,) = read(target_of(mask, PAGE, "https://x.example/c"))
    inside = again if isinstance(again, Mask) else mask_from_array(polygons_to_array([again], 100, 100))
    edges = zip(inside.bounds.corners, mask.bounds.corners, strict=True)
    assert all(abs(a - b) <= 2 for a, b in edges)


def test_a_mask_in_parts_with_holes_is_one_path_and_one_mask():
    inside = np.zeros((100, 100), dtype=bool)
    inside[10:40, 10:40] = True
    inside[20:30, 20:30] = False
    inside[23:27, 23:27] = True
    inside[60:90, 60:90] = True
    target = target_of(mask_from_array(inside), PAGE, "c")
    assert target["selector"]["value"].count("<path") == 1
    assert target["selector"]["value"].count("M ") == 4
    (mask,) = read(target)
    assert (mask_to_array(mask) == inside).all()


def test_the_target_is_in_units_of_the_canvas():
    assert target_of(Box(10, 20, 30, 40), ON_CANVAS, "c") == "c#xywh=220,40,60,80"
    (polygon,) = read(target_of(Polygon(((0, 0), (50, 0), (50, 50))), ON_CANVAS, "c"), ON_CANVAS)
    assert polygon == Polygon(((0, 0), (50, 0), (50, 50)))
    assert read("c#xywh=220,40,60,80", ON_CANVAS) == [Box(10, 20, 30, 40)]


def test_a_source_with_a_fragment_of_its_own_needs_a_selector():
    target = target_of(Box(1, 2, 3, 4), PAGE, "https://x.example/m#canvas1")
    assert target == {
        "type": "SpecificResource",
        "source": "https://x.example/m#canvas1",
        "selector": {
            "type": "FragmentSelector",
            "conformsTo": "http://www.w3.org/TR/media-frags/",
            "value": "xywh=1,2,3,4",
        },
    }
    assert next(targets(target))[0] == "https://x.example/m#canvas1"
    assert read(target) == [Box(1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("box", "fragment"),
    [
        (Box(0.5, 0.49, 1, 1), "xywh=1,0,1,1"),
        (Box(10.2, 10.2, 0.1, 0.1), "xywh=10,10,1,1"),
        (Box(1, 2, 3, 4), "xywh=1,2,3,4"),
    ],
)
def test_fragments_are_whole_and_never_empty(box: Box, fragment: str):
    assert fragment_of(box) == fragment


@pytest.mark.parametrize(
    "target",
    [
        "c#xywh=1,2,3,4",
        "c#xywh=pixel:1,2,3,4",
        "c#xywh=pixel:1.0,2.0,3.0e0,4",
        "c#xywh=percent:1,2,3,4",
        "c#xywh=1, 2, 3, 4&t=5",
        ["c#xywh=1,2,3,4"],
        {"id": "c#xywh=1,2,3,4"},
        {"@id": "c#xywh=1,2,3,4", "@type": "sc:Canvas"},
        {"type": "SpecificResource", "source": "c#xywh=1,2,3,4"},
        {"source": "c", "selector": {"type": "FragmentSelector", "value": "xywh=1,2,3,4"}},
        {"source": {"id": "c", "type": "Canvas"}, "selector": {"type": "FragmentSelector", "value": "#xywh=1,2,3,4"}},
        {
            "source": "c",
            "selector": [{"type": "PointSelector", "x": 1}, {"type": "FragmentSelector", "value": "xywh=1,2,3,4"}],
        },
        {"source": "c", "selector": {"type": "SvgSelector", "value": RECTANGLE}},
        {
            "source": "c",
            "selector": [
                {"type": "FragmentSelector", "value": "xywh=0,0,9,9"},
                {"type": "SvgSelector", "value": RECTANGLE},
            ],
        },
        {
            "source": "c",
            "selector": [
                {"type": "FragmentSelector", "value": "xywh=1,2,3,4"},
                {"type": "SvgSelector", "value": "<svg/>"},
            ],
        },
        {"source": "c", "selector": {"type": "Choice", "items": [{"type": "SvgSelector", "value": RECTANGLE}]}},
        {
            "@type": "oa:SpecificResource",
            "full": "c",
            "selector": {"@type": "oa:FragmentSelector", "value": "xywh=1,2,3,4"},
        },
        {
            "@type": "oa:SpecificResource",
            "full": {"@id": "c", "@type": "sc:Canvas"},
            "selector": {
                "@type": "oa:Choice",
                "default": {"@type": "oa:FragmentSelector", "value": "xywh=0,0,9,9"},
                "item": {"@type": "oa:SvgSelector", "value": RECTANGLE},
            },
        },
        {"full": "c", "selector": {"@type": ["oa:SvgSelector", "cnt:ContentAsText"], "chars": RECTANGLE}},
        {"type": "Choice", "items": ["c#xywh=1,2,3,4"]},
    ],
)
def test_every_form_of_a_target(target: Json):
    assert [source for source, _ in targets(target)] == ["c"]
    assert read(target) == [Box(1, 2, 3, 4)]


def test_several_targets_are_several():
    assert read(["c#xywh=1,2,3,4", {"source": "d", "selector": {"type": "SvgSelector", "value": SVG}}]) == [
        Box(1, 2, 3, 4),
        Polygon(((0, 0), (10, 0), (10, 10))),
    ]


@pytest.mark.parametrize("target", ["https://x.example/c", "c#canvas1", {"id": "c"}, {"source": {"id": "c#t=3"}}])
def test_a_target_without_a_rectangle_is_the_whole(target: Json):
    assert read(target) == [Box(0, 0, 100, 100)]
    with pytest.raises(FormatError, match="the whole image, whose size is not known"):
        read(target, replace(PAGE, width=0))


@pytest.mark.parametrize("target", [None, 5, {}, {"source": None}, [[[]], 7], {"id": {"id": 3}}])
def test_no_target_is_refused(target: Json):
    with pytest.raises(FormatError, match="it has no target"):
        read(target)


def test_a_target_that_is_nested_without_end_is_refused():
    target: Json = "c"
    for _ in range(100):
        target = [target]
    with pytest.raises(FormatError):
        read(target)


@pytest.mark.parametrize(
    ("selector", "reason"),
    [
        ({"type": "PointSelector", "x": 1, "y": 2}, "cannot be used: PointSelector"),
        ({"type": "FragmentSelector", "value": "t=1,2"}, "selects no rectangle"),
        ({"type": "FragmentSelector"}, "selects no rectangle"),
        ({"type": "SvgSelector", "value": "<svg/>"}, "encloses no area"),
        ({"x": 1}, "selector without a type"),
        ([], "cannot be used: none"),
    ],
)
def test_selectors_that_select_nothing_are_refused(selector: Json, reason: str):
    with pytest.raises(FormatError, match=reason):
        area_of(selector)


def test_percent_are_of_the_canvas_or_of_the_image():
    target = "c#xywh=percent:50,0,25,10"
    assert read(target) == [Box(50, 0, 25, 10)]
    assert read(target, ON_CANVAS) == [Box(0, 0, 50, 15)]
    with pytest.raises(FormatError, match="in percent of an image"):
        read(target, replace(PAGE, width=0))


@pytest.mark.parametrize("target", ["c#xywh=1,2,0,4", "c#xywh=1,2,-3,4"])
def test_a_rectangle_without_area_is_refused(target: str):
    with pytest.raises(ShapeError):
        read(target)


def test_several_areas_on_an_image_of_unknown_size_stay_apart():
    drawn = read_svg('<svg><path d="M0,0h4v4h-4z M10,10h4v4h-4z"/></svg>')
    assert [shape.bounds for shape in shapes_of(drawn, replace(PAGE, width=0))] == [Box(0, 0, 4, 4), Box(10, 10, 4, 4)]
    (mask,) = shapes_of(drawn, PAGE)
    assert mask.area == 32


@given(masks())
def test_lines_are_nested_as_they_were(mask: Mask):
    polygons = mask_to_polygons(mask)
    again = polygons_from_rings([ring for polygon in polygons for ring in polygon.rings])
    assert (polygons_to_array(again, mask.width, mask.height) == mask_to_array(mask)).all()


def test_lines_without_area_are_left_out():
    square, flat = ((0, 0), (4, 0), (4, 4)), ((0, 0), (4, 0), (8, 0))
    assert polygons_from_rings([flat, square]) == [Polygon(square)]
    with pytest.raises(ShapeError, match="it has no area"):
        polygons_from_rings([flat])


def test_where_an_area_lies():
    assert centre_of(Fragment((10, 20, 4, 6))) == (12, 23)
    assert centre_of(Drawn((((0, 0), (4, 0), (4, 8)),))) == (2, 4)
    assert centre_of(Fragment((0, 0, 4, 6), percent=True)) is None
    assert centre_of(None) is None


def test_types_lose_their_prefixes():
    assert plain_types({"@type": ["oa:SvgSelector", "cnt:ContentAsText"]}) == {"SvgSelector", "ContentAsText"}
    assert plain_types({"type": "Choice"}) == {"Choice"}
    assert plain_types({}) == set()
