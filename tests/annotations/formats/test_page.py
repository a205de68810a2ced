import math
from dataclasses import replace

import pytest
from defusedxml import ElementTree
from hypothesis import given

from limner.annotations.annotation import Annotation, ByModel, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.page import NAMESPACE, PAGE
from limner.annotations.formats.protocol import Feature
from limner.annotations.masks import mask_from_array, polygons_to_array
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Polygon, Shape
from tests.annotations.formats.files import one_file, reread, written
from tests.annotations.formats.schemas import validate
from tests.annotations.strategies import documents

SHEET = Page(id="page 1", name="0001.jpg", index=0, width=200, height=100)


def found(name: str, shape: Shape, text: str | None = None, **changes: object) -> Annotation:
    return replace(Annotation(id=name, shape=shape, label=name, text=text), **changes)


def document(*annotations: Annotation, page: Page = SHEET, **metadata: Json) -> Document:
    return Document(id="d", title="t", pages=[AnnotatedPage(page, annotations)], metadata=metadata)


def tree(*annotations: Annotation, page: Page = SHEET, **metadata: Json):
    text = one_file(PAGE, document(*annotations, page=page, **metadata))
    validate(text, "page")
    return ElementTree.fromstring(text.replace(f'xmlns="{NAMESPACE}"', ""))


def back(*annotations: Annotation) -> tuple[Annotation, ...]:
    return reread(PAGE, written(PAGE, document(*annotations)))[0].annotations


@given(documents(PAGE.holds - {Feature.POLYGON}, whole=True))
def test_what_it_holds_comes_back(given: Document):
    read = reread(PAGE, written(PAGE, given))
    assert [replace(page.page, source="", label=None) for page in given.pages] == [page.page for page in read]
    for one, other in zip(given.pages, read, strict=True):
        assert {each.id: each for each in one.annotations} == {each.id: each for each in other.annotations}


@given(documents(PAGE.holds))
def test_fractions_of_a_pixel_are_rounded(given: Document):
    read = reread(PAGE, written(PAGE, given))
    for one, other in zip(given.pages, read, strict=True):
        shapes = {each.id: each.shape for each in other.annotations}
        for annotation in one.annotations:
            edges = zip(annotation.shape.bounds.corners, shapes[annotation.id].bounds.corners, strict=True)
            assert all(abs(before - after) <= 1 for before, after in edges)


@given(documents(canvas=True))
def test_everything_can_be_written_and_is_valid(given: Document):
    for text in written(PAGE, given).values():
        validate(text, "page")


def test_each_corner_of_a_polygon_goes_to_the_nearest_whole_one():
    polygon = Polygon(((0.4, 0.6), (50.5, 1.2), (50.4, 40.9), (20, 60)))
    assert back(found("z", polygon))[0].shape == Polygon(((0, 1), (51, 1), (50, 41), (20, 60)))


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (Box(10.2, 10.2, 0.1, 0.1), Box(10, 10, 1, 1)),
        (Box(-5, -5, 10, 10), Box(0, 0, 5, 5)),
        (Box(-5, -5, 1, 1), Box(0, 0, 1, 1)),
        (Polygon(((10, 10), (10.3, 10), (10.3, 10.3))), Box(10, 10, 1, 1)),
    ],
)
def test_what_would_vanish_or_lie_outside_keeps_a_pixel(shape: Shape, box: Box):
    validate(one_file(PAGE, document(found("z", shape))), "page")
    assert back(found("z", shape))[0].shape == box


def test_a_mask_becomes_its_outline():
    inside = polygons_to_array([Polygon(((10, 10), (60, 10), (10, 60)))], 200, 100)
    outline = back(found("z", mask_from_array(inside)))[0].shape
    assert math.isclose(outline.area, inside.sum(), rel_tol=0.05)


def test_a_zone_holds_its_lines_and_a_line_its_words():
    root = tree(
        found("MainZone", Box(0, 0, 100, 50), score=0.5),
        found("l", Box(5, 5, 80, 10), "two words", score=0.25),
        found("w1", Box(5, 5, 30, 10), "two", attributes={"level": "word"}),
        found("w2", Box(40, 5, 30, 10), "words", score=0.75, attributes={"level": "word"}),
    )
    (region,) = root.findall(".//TextRegion")
    line = region.find("TextLine")
    assert [word.findtext("TextEquiv/Unicode") for word in line.findall("Word")] == ["two", "words"]
    assert line.findtext("TextEquiv/Unicode") == "two words"
    assert region.find("Coords").attrib == {"points": "0,0 100,0 100,50 0,50", "conf": "0.5"}
    assert [each.get("conf") for each in line.iter("TextEquiv")] == [None, "0.75", "0.25"]
    assert line.find("Coords").get("conf") is None


@pytest.mark.parametrize(
    ("label", "name", "kind"),
    [
        ("paragraph", "TextRegion", "paragraph"),
        ("MainZone", "TextRegion", None),
        ("figure", "ImageRegion", None),
        ("diagram", "LineDrawingRegion", None),
        ("stamp", "GraphicRegion", None),
        ("table", "TableRegion", None),
        ("chart", "ChartRegion", None),
        ("map", "MapRegion", None),
        ("separator", "SeparatorRegion", None),
        ("equation", "MathsRegion", None),
        ("chem", "ChemRegion", None),
        ("music", "MusicRegion", None),
        ("advert", "AdvertRegion", None),
        ("noise", "NoiseRegion", None),
        ("dog", "CustomRegion", "dog"),
    ],
)
def test_the_label_chooses_the_kind_of_region(label: str, name: str, kind: str | None):
    zone = found("z", Box(0, 0, 10, 10), label=label)
    (region,) = [each for each in tree(zone).iter() if each.tag.endswith("Region")]
    assert (region.tag, region.get("type"), region.get("custom")) == (name, kind, f"structure {{type:{label};}}")
    assert back(zone) == (zone,)


@pytest.mark.parametrize("label", ["a;b", "a}b{", "a:b", "back\\slash", "a b", "a\tb", "ä é", "type", "\\u0041"])
def test_any_label_comes_back(label: str):
    zone = found("z", Box(0, 0, 10, 10), label=label)
    assert back(zone) == (zone,)


def test_lines_in_a_figure_stand_in_a_region_of_text_inside_it():
    drawn = (found("figure", Box(0, 0, 100, 50)), found("caption", Box(5, 30, 60, 10), "Fig. 1"))
    assert tree(*drawn).findtext(".//ImageRegion/TextRegion/TextLine/TextEquiv/Unicode") == "Fig. 1"
    assert back(*drawn) == drawn


@pytest.mark.parametrize("label", ["paragraph", "figure", "dog"])
def test_the_text_of_a_zone_stays_with_it(label: str):
    zone = found("z", Box(0, 0, 100, 50), "one\ntwo", label=label, attributes={"level": "zone"})
    line = found("l", Box(5, 5, 80, 10), "one")
    assert back(zone) == (zone,)
    assert back(zone, line) == (zone, line)


@pytest.mark.parametrize(
    ("text", "attributes"), [("w", {"level": "word"}), (None, {"level": "word"}), (None, {"level": "line"})]
)
def test_words_alone_and_lines_without_text_come_back(text: str | None, attributes: dict[str, Json]):
    drawn = found("w", Box(0, 0, 10, 10), text, score=0.5, attributes=attributes)
    assert back(drawn) == (drawn,)


@pytest.mark.parametrize("text", ["<&\"'>", "two\nlines", "tab\there", "  spaced  out  ", "שלום", "a\r\nb", "\u2028"])
def test_any_text_comes_back(text: str):
    line = found("l", Box(0, 0, 10, 10), text)
    assert back(line) == (line,)


def test_control_characters_show_as_replaced():
    line = found("l", Box(0, 0, 10, 10), "a\x00b")
    validate(one_file(PAGE, document(line)), "page")
    assert back(line)[0].text == "a\ufffdb"


def test_the_direction_of_hebrew_is_said():
    assert tree(found("l", Box(0, 0, 10, 10), "שלום")).find(".//TextLine").get("readingDirection") == "right-to-left"


def test_the_baseline_comes_from_the_attributes():
    line = found("l", Box(0, 0, 100, 10), "a", attributes={"baseline": [[0, 8], [100, 9]]})
    assert tree(line).find(".//Baseline").get("points") == "0,8 100,9"
    assert back(line) == (line,)


def test_the_reading_order_is_written_down():
    left, right = found("left", Box(0, 0, 40, 90)), found("right", Box(60, 0, 40, 90))
    root = tree(right, left)
    references = [(each.get("index"), each.get("regionRef")) for each in root.iter("RegionRefIndexed")]
    assert references == [("0", "left"), ("1", "right")]
    assert [each.id for each in back(right, left)] == ["left", "right"]


def test_a_page_without_annotations_is_valid_also_when_its_size_is_not_known():
    root = tree(page=Page(id="p", name="a.jpg", index=0))
    assert root.find("Page").attrib == {"imageFilename": "a.jpg", "imageWidth": "0", "imageHeight": "0"}


def test_an_annotation_may_be_called_as_its_page():
    zone = found("page 1", Box(0, 0, 10, 10))
    tree(zone)
    assert back(zone) == (zone,)


def test_models_are_named_in_the_metadata():
    drawn = [found(name, Box(0, 0, 10, 10), provenance=ByModel("zones", "2")) for name in "ab"]
    (item,) = tree(*drawn).iter("MetadataItem")
    assert (item.get("name"), item.get("value")) == ("zones", "2")


@pytest.mark.parametrize(
    ("created", "date"),
    [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:00:00.5+01:00", "2026-03-01T10:00:00.5+01:00"),
        ("yesterday", "1970-01-01T00:00:00Z"),
        (None, "1970-01-01T00:00:00Z"),
    ],
)
def test_the_date_is_that_of_the_document(created: str | None, date: str):
    assert tree(created=created).findtext("Metadata/Created") == date
