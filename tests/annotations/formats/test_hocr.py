import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from defusedxml import ElementTree
from hypothesis import given

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.hocr import HOCR
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Polygon, Shape
from tests.annotations.formats.files import one_file, written
from tests.annotations.strategies import documents

SHEET = Page(id="p", name='a "b".jpg', index=3, width=200, height=100, label="f. 1r")
NESTING = {"body": "ocr_page", "ocr_page": "zone", "zone": "ocr_line", "ocr_line": "ocrx_word"}
ZONES = {"ocr_carea", "ocr_photo", "ocr_linedrawing", "ocr_image", "ocr_table", "ocr_separator"}


def found(name: str, shape: Shape, text: str | None = None, **changes: object) -> Annotation:
    return replace(Annotation(id=name, shape=shape, label=name, text=text), **changes)


def document(*annotations: Annotation, page: Page = SHEET) -> Document:
    return Document(id="d", title="<t> & {t}", pages=[AnnotatedPage(page, annotations)])


def parsed(text: str) -> ET.Element:
    return ElementTree.fromstring(text.replace('xmlns="http://www.w3.org/1999/xhtml"', ""))


def tree(*annotations: Annotation, page: Page = SHEET) -> ET.Element:
    return parsed(one_file(HOCR, document(*annotations, page=page)))


def of(root: ET.Element, kind: str) -> list[ET.Element]:
    return [each for each in root.iter() if each.get("class") == kind]


def test_a_page_as_a_whole():
    drawn = document(
        found("MainZone", Box(0, 0, 100, 50)), found("l", Box(5, 5.4, 80, 10), "a <b>", score=0.876), page=SHEET
    )
    text = one_file(HOCR, drawn)
    body = text[text.index("<body>") :]
    assert body == (
        "<body>\n"
        '<div class="ocr_page" id="page_1" title=\'image "a \\&quot;b\\&quot;.jpg"; bbox 0 0 200 100; ppageno 3; '
        'lpageno "f. 1r"\'>\n'
    ).replace("&quot;", '"') + (
        '<div class="ocr_carea" id="ocr_carea_1_1" title=\'bbox 0 0 100 50; x_label "MainZone"\'>\n'
        '<span class="ocr_line" id="ocr_line_1_2" title=\'bbox 5 5 85 15; x_label "l"; x_wconf 88\'>\n'
        '<span class="ocrx_word" id="ocrx_word_1_3" title="bbox 5 5 85 15; x_wconf 88">a &lt;b&gt;</span>\n'
        "</span>\n</div>\n</div>\n</body>\n</html>\n"
    )
    assert parsed(text).findtext("head/title") == "<t> & {t}"


@given(documents())
def test_every_document_is_well_formed_and_nested_as_it_should_be(given: Document):
    ((path, text),) = written(HOCR, given).items()
    root = parsed(text)
    assert path == "document.hocr"
    assert len(of(root, "ocr_page")) == len(given.pages)
    identifiers = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(set(identifiers)) == len(identifiers)
    for outer in root.find("body").iter():
        kind = outer.get("class", outer.tag)
        for inner in outer:
            name = "zone" if inner.get("class") in ZONES else inner.get("class")
            assert name is None or name == NESTING["zone" if kind in ZONES else kind]


@given(documents())
def test_every_capability_that_is_used_is_declared(given: Document):
    root = parsed(one_file(HOCR, given))
    declared = root.find("head/meta[@name='ocr-capabilities']").get("content").split()
    assert {each.get("class") for each in root.iter() if each.get("class")} <= set(declared)


@given(documents())
def test_boxes_lie_in_their_page(given: Document):
    root = parsed(one_file(HOCR, given))
    for element, page in zip(of(root, "ocr_page"), given.pages, strict=True):
        for inner in element.iter("span"):
            x1, y1, x2, y2 = map(int, re.search(r"bbox (\d+) (\d+) (\d+) (\d+)", inner.get("title")).groups())
            assert 0 <= x1 < x2 <= page.page.width
            assert 0 <= y1 < y2 <= page.page.height


def test_known_words_are_the_words():
    line = found("l", Box(0, 0, 100, 10), "two words")
    words = [found(t, Box(x, 0, 30, 10), t, attributes={"level": "word"}) for x, t in ((0, "two"), (50, "words"))]
    assert [each.text for each in of(tree(line, *words), "ocrx_word")] == ["two", "words"]


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("text", "ocr_carea"),
        ("photo", "ocr_photo"),
        ("map", "ocr_linedrawing"),
        ("stamp", "ocr_image"),
        ("table", "ocr_table"),
        ("separator", "ocr_separator"),
        ("dog", "ocr_carea"),
    ],
)
def test_the_label_chooses_the_kind_of_zone(label: str, kind: str):
    assert len(of(tree(found(label, Box(0, 0, 10, 10))), kind)) == 1


def test_a_polygon_is_given_beside_its_box():
    (zone,) = of(tree(found("z", Polygon(((0, 0), (10, 0), (5, 9.4))))), "ocr_carea")
    assert zone.get("title") == 'bbox 0 0 10 9; poly 0 0 10 0 5 9; x_label "z"'


def test_the_baseline_is_reckoned_from_the_lower_left_corner():
    line = found("l", Box(10, 0, 100, 20), "a", attributes={"baseline": [[10, 15], [110, 25]]})
    (element,) = of(tree(line), "ocr_line")
    assert "baseline 0.1 -5;" in element.get("title")
    upright = found("l", Box(10, 0, 100, 20), "a", attributes={"baseline": [[10, 15], [10, 25]]})
    assert "baseline" not in of(tree(upright), "ocr_line")[0].get("title")


@pytest.mark.parametrize("label", ['quo"te', "back\\slash", "semi;colon", "it's", 'it\'s "so"', "<&>"])
def test_labels_are_quoted_strings(label: str):
    (zone,) = of(tree(found("z", Box(0, 0, 10, 10), label=label)), "ocr_carea")
    quoted = re.fullmatch(r'bbox 0 0 10 10; x_label "(.*)"', zone.get("title"))[1]
    assert quoted.replace('\\"', '"').replace("\\\\", "\\") == label


def test_control_characters_line_feeds_and_directions():
    root = tree(found("a", Box(0, 0, 10, 10), "a\x00b\nc"), found("b", Box(0, 20, 10, 10), "שלום"))
    first, second = of(root, "ocrx_word")
    assert (first.text, first[0].tag, first[0].tail) == ("a\ufffdb", "br", "c")
    assert [each.get("dir") for each in of(root, "ocr_line")] == [None, "rtl"]
    assert second.text == "שלום"


def test_a_line_without_text_has_no_word():
    root = tree(found("a", Box(0, 0, 10, 10), attributes={"level": "line"}))
    assert (len(of(root, "ocr_line")), len(of(root, "ocrx_word"))) == (1, 0)


def test_the_text_of_a_zone_whose_lines_are_not_known():
    root = tree(found("z", Box(0, 0, 10, 10), "a\n<b>", attributes={"level": "zone"}))
    assert [each.text for each in root.iter("p")] == ["a", "<b>"]


def test_a_page_of_unknown_size_has_no_box():
    (page,) = of(tree(page=Page(id="p", name="a.jpg", index=0, source="https://x.example/a.jpg")), "ocr_page")
    assert page.get("title") == 'image "https://x.example/a.jpg"; ppageno 0'
