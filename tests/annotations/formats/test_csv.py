import csv
import io
import json

from hypothesis import given

from limner.annotations.annotation import Annotation, ByModel, ByPerson
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.csv import COLUMNS, CSV
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Polygon
from tests.annotations.formats.files import one_file
from tests.annotations.strategies import documents


def rows(document: Document) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(one_file(CSV, document), newline="")))


@given(documents())
def test_each_annotation_is_a_row_and_each_empty_page_too(document: Document) -> None:
    read = rows(document)
    expected = [(p.page, a) for p in document.pages for a in (p.annotations or (None,))]
    assert len(read) == len(expected)
    for row, (page, annotation) in zip(read, expected, strict=True):
        assert (int(row["page"]) - 1, row["file"], int(row["page_width"])) == (page.index, page.name, page.width)
        if annotation is None:
            assert row["label"] == row["x"] == ""
            continue
        box = annotation.shape.bounds
        assert [float(row[key]) for key in ("x", "y", "width", "height")] == [box.x, box.y, box.width, box.height]
        assert (row["id"], row["label"], row["text"]) == (annotation.id, annotation.label, annotation.text or "")
        assert row["score"] == ("" if annotation.score is None else str(annotation.score))
        assert json.loads(row["attributes"] or "{}") == annotation.attributes


def test_the_columns_as_documented() -> None:
    page = Page(id="1", name="a, b.jpg", index=2, width=100, height=80)
    made = (
        Annotation(
            id="x",
            shape=Polygon(((1, 2), (9, 2), (9, 8.5))),
            label="figure",
            score=0.5,
            text="“a”\nb",
            provenance=ByModel("page-elements", "2"),
        ),
        Annotation(id="y", shape=Box(0, 0, 1, 1), label="x", provenance=ByPerson("Ada")),
    )
    document = Document(
        id="d",
        title="d",
        pages=[AnnotatedPage(page, made), AnnotatedPage(Page(id="2", name="2.jpg", index=3), (), "It is gone.")],
    )
    assert one_file(CSV, document) == (
        ",".join(COLUMNS) + "\r\n"
        '3,"a, b.jpg",100,80,x,figure,0.5,1,2,8,6.5,"“a”\nb",,page-elements@2,\r\n'
        '3,"a, b.jpg",100,80,y,x,,0,0,1,1,,,Ada,\r\n'
        "4,2.jpg,,,,,,,,,,,,,It is gone.\r\n"
    )
