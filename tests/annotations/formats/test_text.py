import pytest
from hypothesis import given

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.text import TEXT
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from tests.annotations.formats.files import one_file, written
from tests.annotations.strategies import documents


def line(y: float, text: str, x: float = 0) -> Annotation:
    return Annotation(id=f"{x} {y}", shape=Box(x, y, 100, 10), label="text", text=text)


def document(*pages: tuple[Annotation, ...]) -> Document:
    sheets = [Page(id=str(n), name=f"{n}.jpg", index=n, width=300, height=300) for n in range(len(pages))]
    return Document(id="d", title="t", pages=[AnnotatedPage(p, a) for p, a in zip(sheets, pages, strict=True)])


def test_lines_zones_and_pages_are_parted():
    zone = Annotation(id="z", shape=Box(0, 100, 200, 100), label="zone")
    given = document((line(120, "third"), zone, line(20, "second"), line(0, "first")), (), (line(0, "last"),))
    assert one_file(TEXT, given) == "first\nsecond\n\nthird\n\f\flast\n\f"
    assert list(written(TEXT, given)) == ["text.txt"]


@given(documents())
def test_page_n_is_part_n(given: Document):
    parts = one_file(TEXT, given).split("\f")
    assert len(parts) == len(given.pages) + 1
    assert parts[-1] == ""
    for part, page in zip(parts, given.pages, strict=False):
        assert bool(part) == any(annotation.text for annotation in page.annotations)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\nb"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\fb\x00c\ud800d", "a b c d"),
        ("\na\n", "a"),
        ("<b>&amp;", "<b>&amp;"),
        ("שלום\t½", "שלום\t½"),
    ],
)
def test_texts_are_shown_as_they_are_but_for_control_characters(text: str, shown: str):
    assert one_file(TEXT, document((line(0, text),))) == f"{shown}\n\f"


def test_the_words_stand_for_a_line_that_is_not_known_and_the_line_for_its_words():
    words = tuple(
        Annotation(id=text, shape=Box(x, 0, 20, 10), label="w", text=text, attributes={"level": "word"})
        for x, text in ((0, "two"), (30, "words"))
    )
    assert one_file(TEXT, document(words)) == "two words\n\f"
    assert one_file(TEXT, document((*words, line(0, "one line")))) == "one line\n\f"


def test_the_text_of_a_zone_counts_only_where_no_line_is_known():
    zone = Annotation(id="z", shape=Box(0, 0, 200, 50), label="z", text="own\ntext", attributes={"level": "zone"})
    assert one_file(TEXT, document((zone,))) == "own\ntext\n\f"
    assert one_file(TEXT, document((zone, line(5, "line")))) == "line\n\f"
