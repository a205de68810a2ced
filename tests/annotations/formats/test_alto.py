from dataclasses import replace

import pytest
from defusedxml import ElementTree
from hypothesis import given

from limner.annotations.annotation import Annotation, ByModel, ByPerson, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.alto import ALTO, NAMESPACE
from limner.annotations.formats.protocol import Feature, losses
from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box, Polygon
from tests.annotations.formats.files import one_file, reread, written
from tests.annotations.formats.schemas import validate
from tests.annotations.strategies import documents

PAGE = Page(id="page 1", name="0001.jpg", index=4, width=200, height=100, label="f. 1r")
MODEL = ByModel("ocr", "1.2", "ab" * 32, {"threshold": 0.5})


def found(name: str, box: Box | Polygon, text: str | None = None, **changes: object) -> Annotation:
    return replace(Annotation(id=name, shape=box, label=name, text=text), **changes)


def document(*annotations: Annotation, page: Page = PAGE, error: str | None = None) -> Document:
    return Document(id="https://x.example/manifest", title="t", pages=[AnnotatedPage(page, annotations, error)])


def tree(*annotations: Annotation, page: Page = PAGE):
    text = one_file(ALTO, document(*annotations, page=page))
    validate(text, "alto")
    return ElementTree.fromstring(text.replace(f'xmlns="{NAMESPACE}"', ""))


def by_id(pages: list[AnnotatedPage]) -> list[dict[str, Annotation]]:
    return [{annotation.id: annotation for annotation in page.annotations} for page in pages]


@given(documents(ALTO.holds))
def test_what_it_holds_comes_back(given: Document):
    files = written(ALTO, given)
    read = reread(ALTO, files)
    assert [replace(page.page, source="", canvas=None) for page in given.pages] == [page.page for page in read]
    assert by_id(given.pages) == by_id(read)


@given(documents(canvas=True))
def test_everything_can_be_written_and_is_valid(given: Document):
    for text in written(ALTO, given).values():
        validate(text, "alto")


def test_a_zone_holds_its_lines_and_a_line_its_words():
    root = tree(
        found("MainZone", Box(0, 0, 100, 50)),
        found("line", Box(5, 5, 80, 10), "two words"),
        found("w1", Box(5, 5, 30, 10), "two", score=0.25, attributes={"level": "word"}),
        found("w2", Box(40, 5, 30, 10), "words", attributes={"level": "word"}),
    )
    (block,) = root.iter("TextBlock")
    (line,) = block.findall("TextLine")
    assert [(each.tag, each.get("CONTENT"), each.get("WC")) for each in line] == [
        ("String", "two", "0.25"),
        ("SP", None, None),
        ("String", "words", None),
    ]
    assert (block.get("HPOS"), block.get("VPOS"), block.get("WIDTH"), block.get("HEIGHT")) == ("0", "0", "100", "50")


def test_lines_without_a_zone_get_a_block_that_is_no_annotation():
    drawn = document(found("a", Box(0, 0, 80, 10), "a", score=0.5), found("b", Box(0, 20, 90, 10), "b"))
    (block,) = ElementTree.fromstring(one_file(ALTO, drawn)).iter(f"{{{NAMESPACE}}}TextBlock")
    assert (block.get("ID"), block.get("TAGREFS"), block.get("WIDTH")) == ("limner-around-1", None, "90")
    assert [each.id for each in reread(ALTO, written(ALTO, drawn))[0].annotations] == ["a", "b"]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("paragraph", "TextBlock"),
        ("figure", "Illustration"),
        ("separator", "GraphicalElement"),
        ("table", "ComposedBlock"),
        ("dog", "ComposedBlock"),
    ],
)
def test_the_label_chooses_the_kind_of_block(label: str, name: str):
    root = tree(found("z", Box(0, 0, 10, 10), label=label))
    (block,) = root.find(".//PrintSpace")
    assert block.tag == name
    tags = {tag.get("ID"): tag.get("LABEL") for tag in root.iter("OtherTag")}
    assert tags[block.get("TAGREFS")] == label


def test_lines_in_a_figure_stand_in_a_block_of_text_inside_it():
    drawn = document(found("figure", Box(0, 0, 100, 50)), found("caption", Box(5, 30, 60, 10), "Fig. 1"))
    root = ElementTree.fromstring(one_file(ALTO, drawn).replace(f'xmlns="{NAMESPACE}"', ""))
    assert root.find(".//ComposedBlock/TextBlock/TextLine/String").get("CONTENT") == "Fig. 1"
    assert [each.label for each in reread(ALTO, written(ALTO, drawn))[0].annotations] == ["figure", "caption"]


@pytest.mark.parametrize("label", ["paragraph", "figure", "dog"])
def test_the_text_of_a_zone_whose_lines_are_not_known(label: str):
    zone = found("z", Box(0, 0, 100, 50), "one\ntwo", label=label, attributes={"level": "zone"})
    drawn = document(zone)
    validate(one_file(ALTO, drawn), "alto")
    assert reread(ALTO, written(ALTO, drawn))[0].annotations == (zone,)


def test_the_text_of_a_line_with_words_is_that_of_its_words():
    line = found("l", Box(0, 0, 100, 10), "something else", score=0.75)
    words = [found(f"w{i}", Box(20 * i, 0, 10, 10), f"w{i}", attributes={"level": "word"}) for i in range(3)]
    read = reread(ALTO, written(ALTO, document(line, *words)))[0].annotations
    assert read == (replace(line, text="w0 w1 w2"), *words)


def test_a_single_word_as_large_as_its_line_is_kept():
    line = found("l", Box(0, 0, 100, 10), "w")
    word = found("w", Box(0, 0, 100, 10), "w", attributes={"level": "word"})
    assert reread(ALTO, written(ALTO, document(line, word)))[0].annotations == (line, word)


def test_words_without_a_line_get_one_that_is_no_annotation():
    word = found("w", Box(0, 0, 10, 10), "w", attributes={"level": "word"})
    assert reread(ALTO, written(ALTO, document(word)))[0].annotations == (word,)


def test_a_line_without_text_stays_a_line():
    line = found("l", Box(0, 0, 10, 10), attributes={"level": "line"})
    assert reread(ALTO, written(ALTO, document(line)))[0].annotations == (line,)


@pytest.mark.parametrize(
    "text", ["<&\"'>", "two\nlines", "tab\there", "  spaced  out  ", "שלום", "a\r\nb", "½ ſ ā\u0304 𝔄", "\u2028"]
)
def test_any_text_comes_back(text: str):
    line = found("l", Box(0, 0, 10, 10), text)
    assert reread(ALTO, written(ALTO, document(line)))[0].annotations == (line,)


def test_control_characters_show_as_replaced():
    drawn = document(found("l", Box(0, 0, 10, 10), "a\x00b"))
    validate(one_file(ALTO, drawn), "alto")
    assert reread(ALTO, written(ALTO, drawn))[0].annotations[0].text == "a\ufffdb"


def test_the_direction_of_hebrew_is_said():
    (line,) = tree(found("l", Box(0, 0, 10, 10), "שלום")).iter("TextLine")
    assert line.get("BASEDIRECTION") == "rtl"


def test_the_baseline_comes_from_the_attributes():
    baseline: Json = [[0, 8], [50, 9.5], [100, 8]]
    line = found("l", Box(0, 0, 100, 10), "a", attributes={"baseline": baseline})
    (element,) = tree(line).iter("TextLine")
    assert element.get("BASELINE") == "0,8 50,9.5 100,8"
    assert reread(ALTO, written(ALTO, document(line)))[0].annotations == (line,)


def test_provenance_is_said_once_and_referred_to():
    drawn = [found(name, Box(0, 20 * i, 10, 10), name, provenance=MODEL) for i, name in enumerate("ab")]
    person = found("c", Box(0, 60, 10, 10), "c", provenance=ByPerson("Ann"))
    root = tree(*drawn, person)
    assert [each.get("ID") for each in root.iter("Processing")] == ["limner-writer", "limner-by-1", "limner-by-2"]
    read = reread(ALTO, written(ALTO, document(*drawn, person)))
    assert [each.provenance for each in read[0].annotations] == [MODEL, MODEL, ByPerson("Ann")]


def test_the_page_says_what_it_is():
    root = tree(page=replace(PAGE, canvas=Canvas("https://x.example/c", 20, 10)))
    assert root.findtext(".//fileName") == "0001.jpg"
    assert root.findtext(".//MeasurementUnit") == "pixel"
    page = root.find(".//Page")
    assert (page.get("PHYSICAL_IMG_NR"), page.get("PRINTED_IMG_NR"), page.get("WIDTH")) == ("5", "f. 1r", "200")
    assert root.get("SCHEMAVERSION") == "4.4"


def test_a_failed_page_of_unknown_size_is_written_empty():
    failed = document(page=Page(id="p", name="0002.jpg", index=0), error="HTTP 404")
    ((path, text),) = written(ALTO, failed).items()
    assert path == "alto/0002.xml"
    validate(text, "alto")
    assert reread(ALTO, {path: text})[0].annotations == ()
    assert losses(ALTO, failed.pages) == ["ALTO cannot hold page errors (1): left out or simplified."]


def test_what_it_cannot_hold_is_said():
    assert {Feature.MASK, Feature.HOLES, Feature.ATTRIBUTES, Feature.ERROR} == set(Feature) - ALTO.holds
