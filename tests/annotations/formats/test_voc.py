from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from supervision import DetectionDataset

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.formats.voc import VOC
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import FormatError
from tests.annotations.formats.files import one_file, problems_of, reread, written
from tests.annotations.strategies import documents

PAGE = Page(id="1", name="0001.png", index=0, width=200, height=100)
DEFAULTS: dict[str, Json] = {"pose": "Unspecified", "truncated": 0, "difficult": 0}


def document(*annotations: Annotation, page: Page = PAGE, error: str | None = None) -> Document:
    return Document(id="d", title="d", pages=[AnnotatedPage(page, annotations, error)])


def found(shape: Box, **attributes: Json) -> Annotation:
    return Annotation(id="1", shape=shape, label="figure", attributes=attributes)


@given(documents(VOC.holds, whole=True))
def test_boxes_of_whole_pixels_and_attributes_come_back(document: Document) -> None:
    read = reread(VOC, written(VOC, document))
    assert [page.page.name for page in read] == [page.page.name for page in document.pages]
    for before, after in zip(document.pages, read, strict=True):
        assert (after.page.width, after.page.height) == (before.page.width, before.page.height)
        for old, new in zip(before.annotations, after.annotations, strict=True):
            assert (new.shape, new.label) == (old.shape, old.label)
            assert dict(new.attributes) == DEFAULTS | dict(old.attributes)


@given(st.text() | st.sampled_from(["5", "true", "null", "NaN", '"x"', "[1]", "\r", "\x00", " "]))
def test_any_text_of_an_attribute_comes_back(text: str) -> None:
    before = document(found(Box(1, 1, 1, 1), note=text, pose=text))
    (page,) = reread(VOC, written(VOC, before))
    assert page.annotations[0].attributes["note"] == text
    assert page.annotations[0].attributes["pose"] == text


def test_the_first_column_is_number_1_and_both_ends_belong_to_the_box() -> None:
    text = one_file(VOC, document(found(Box(0, 10, 10, 90), difficult=1, occluded=1)))
    assert "<xmin>1</xmin>\n      <ymin>11</ymin>\n      <xmax>10</xmax>\n      <ymax>100</ymax>" in text
    assert "<difficult>1</difficult>\n    <occluded>1</occluded>" in text


def test_what_xml_cannot_hold_is_replaced_in_names() -> None:
    before = document(Annotation(id="1", shape=Box(0, 0, 5, 5), label="a\x00<b>&"))
    (page,) = reread(VOC, written(VOC, before))
    assert page.annotations[0].label == "a\ufffd<b>&"


def test_a_failed_page_has_no_file_and_an_empty_one_has() -> None:
    assert written(VOC, document(error="It is gone.")) == {}
    assert list(written(VOC, document())) == ["voc/0001.xml"]


def test_supervision_loads_the_same_boxes(tmp_path: Path) -> None:
    boxes = [Box(0, 10, 10, 90), Box(20, 30, 1, 2)]
    for path, text in written(VOC, document(*map(found, boxes))).items():
        (tmp_path / Path(path).name).write_text(text, encoding="utf-8")
    Image.new("RGB", (200, 100)).save(tmp_path / "0001.png")
    loaded = DetectionDataset.from_pascal_voc(str(tmp_path), str(tmp_path))
    (_, _, detections), *_ = loaded
    assert loaded.classes == ["figure"]
    assert detections.xyxy.tolist() == [list(map(float, box.corners)) for box in boxes]


def voc(box: str, more: str = "", head: str = "<filename>a.jpg</filename>") -> str:
    return f"<annotation>{head}<object><name>cell</name>{more}<bndbox>{box}</bndbox></object></annotation>"


BOX = "<xmin>3</xmin><ymin>4.5</ymin><xmax>10</xmax><ymax>20</ymax>"


def test_attributes_are_numbers_and_texts_and_others_of_cvat() -> None:
    more = (
        "<pose>Left</pose><truncated>1</truncated><attributes><attribute><name>rotation</name><value>0.5</value>"
        "</attribute><attribute><name>who</name></attribute><attribute/></attributes>"
    )
    (page,), problems = problems_of(VOC, {"a.xml": voc(BOX, more)})
    (annotation,) = page.annotations
    assert annotation.shape == Box(2, 3.5, 8, 16.5)
    assert annotation.attributes == {"pose": "Left", "truncated": 1, "rotation": 0.5, "who": ""}
    assert problems == []


@pytest.mark.parametrize(
    "box",
    [
        "<xmin>5</xmin><ymin>5</ymin><xmax>5</xmax><ymax>5</ymax>",
        "<xmin>5</xmin><ymin>5</ymin><xmax>5</xmax><ymax>9</ymax>",
        "<xmin>9</xmin><ymin>5</ymin><xmax>5</xmax><ymax>9</ymax>",
        "<xmin>5</xmin><ymin>5</ymin><xmax>9</xmax>",
        "<xmin>a</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax>",
        "<xmin>nan</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax>",
    ],
)
def test_a_box_without_area_or_edges_is_reported(box: str) -> None:
    (page,), problems = problems_of(VOC, {"x/a.xml": voc(box)})
    assert page.annotations == ()
    assert problems[0].startswith("x/a.xml, object 1 (cell) was passed over: ")


def test_without_a_file_name_the_image_is_looked_for_by_the_stem() -> None:
    context = ParseContext(size_of=lambda name: (20, 30) if name == "a.tif" else None)
    (page,) = VOC.parse({"x/a.xml": voc(BOX, head="<size><width>0</width></size>")}, context)
    assert (page.page.name, page.page.width, page.page.height) == ("a.tif", 20, 30)


BOMB = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>'


@pytest.mark.parametrize("text", ["", "no", "<alto/>", "<annotation>", BOMB])
def test_another_file_is_refused_by_name(text: str) -> None:
    with pytest.raises(FormatError, match=r"^a\.xml is no"):
        list(VOC.parse({"a.xml": text}, ParseContext()))


def test_blood_cells_are_read_whole_and_the_two_without_area_are_named(real_data: Callable[[str], Path]) -> None:
    folder = real_data("bccd/BCCD/Annotations")
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.xml"))}
    pages, problems = problems_of(VOC, files)
    assert len(pages) == 364
    assert Counter(a.label for page in pages for a in page.annotations) == {"RBC": 4153, "WBC": 372, "Platelets": 361}
    assert [problem.partition(" was")[0] for problem in problems] == [
        "BloodImage_00338.xml, object 13 (RBC)",
        "BloodImage_00343.xml, object 4 (RBC)",
    ]
    again = reread(VOC, written(VOC, Document(id="b", title="b", pages=pages)))
    for before, after in zip(pages, again, strict=True):
        assert [(a.shape, a.label, a.attributes) for a in after.annotations] == [
            (a.shape, a.label, a.attributes) for a in before.annotations
        ]
