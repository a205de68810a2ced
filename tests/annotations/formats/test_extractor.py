import pytest
from hypothesis import given

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.extractor import EXTRACTOR
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Polygon
from limner.core.errors import FormatError
from tests.annotations.formats.files import one_file, problems_of, reread
from tests.annotations.strategies import documents


def page(index: int, name: str, *boxes: Box | Polygon, error: str | None = None) -> AnnotatedPage:
    found = tuple(Annotation(shape=box, label="figure", id=str(n)) for n, box in enumerate(boxes))
    return AnnotatedPage(Page(id=name, name=name, index=index, width=3000, height=4000), found, error)


def test_the_file_is_byte_for_byte_what_its_clients_read() -> None:
    document = Document(
        id="m",
        title="ms22",
        pages=[
            page(20, "ms22_0021.jpg", Box(514, 907, 1700, 1685), Box(2424, 831, 441, 1423)),
            page(21, "ms22_0022.jpg"),
            page(22, "ms22 0023.jpg", error="The host is down."),
            page(23, "ms22_0024.jpg", Polygon(((10.2, 20.7), (30.5, 20.7), (30.5, 44)))),
        ],
    )
    assert one_file(EXTRACTOR, document) == (
        "21 ms22_0021.jpg\n514 907 1700 1685\n2424 831 441 1423\n22 ms22_0022.jpg\n23 ms22 0023.jpg\n"
        "24 ms22_0024.jpg\n10 21 21 23\n"
    )


def test_a_line_break_in_a_name_cannot_forge_a_detection() -> None:
    document = Document(id="m", title="m", pages=[page(0, "a\n1 2 3 4\r.jpg")])
    assert one_file(EXTRACTOR, document) == "1 a 1 2 3 4 .jpg\n"


@given(documents(frozenset(), whole=True))
def test_names_places_and_boxes_come_back(document: Document) -> None:
    read = reread(EXTRACTOR, {"extractor.txt": one_file(EXTRACTOR, document)}, document)
    assert [(p.page.index, p.page.name) for p in read] == [(p.page.index, p.page.name) for p in document.pages]
    assert [p.page.width for p in read] == [p.page.width for p in document.pages]
    for before, after in zip(document.pages, read, strict=True):
        assert [a.shape for a in after.annotations] == [a.shape for a in before.annotations]
        assert {a.label for a in after.annotations} <= {"region"}


def test_what_is_neither_an_image_nor_a_box_is_reported_with_its_line() -> None:
    text = "3 a.jpg\r\n1 2 3 4\r\nhello\n5 6 0 8\n-1 -2 9 9\n"
    (read,), problems = problems_of(EXTRACTOR, {"x.txt": text})
    assert read.page.index == 2
    assert [a.shape for a in read.annotations] == [Box(1, 2, 3, 4), Box(-1, -2, 9, 9)]
    assert [problem.partition(" was")[0] for problem in problems] == ["x.txt, line 3", "x.txt, line 4"]


@pytest.mark.parametrize("text", ["1 2 3 4\n", "<xml/>\n", '{"a": 1}'])
def test_another_file_is_refused_by_name(text: str) -> None:
    with pytest.raises(FormatError, match=r"x\.txt, line 1"):
        list(EXTRACTOR.parse({"x.txt": text}, ParseContext()))
