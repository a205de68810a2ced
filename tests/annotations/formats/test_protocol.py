import pytest
from hypothesis import given, settings

from limner.annotations.annotation import Annotation, ByPerson
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.coco import COCO
from limner.annotations.formats.csv import CSV
from limner.annotations.formats.extractor import EXTRACTOR
from limner.annotations.formats.jsonl import JSONL
from limner.annotations.formats.labelme import LABELME
from limner.annotations.formats.labelstudio import LABELSTUDIO
from limner.annotations.formats.protocol import (
    READERS,
    WRITERS,
    Feature,
    Format,
    LossCounter,
    ParseContext,
    ReadableFormat,
    features_of,
    losses,
)
from limner.annotations.formats.voc import VOC
from limner.annotations.formats.yolo import YOLO, YOLO_SEG
from limner.annotations.masks import mask_from_array, shape_to_array
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Polygon
from tests.annotations.formats.files import written
from tests.annotations.strategies import documents

DATA_FORMATS = (COCO, CSV, EXTRACTOR, JSONL, LABELME, LABELSTUDIO, VOC, YOLO, YOLO_SEG)
PAGE = Page(id="1", name="1.jpg", index=0, width=10, height=10)
TRIANGLE = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0))
HOLE = ((6.0, 1.0), (8.0, 1.0), (8.0, 3.0))


def test_the_features_of_an_annotation() -> None:
    assert set(features_of(Annotation(shape=Box(0, 0, 1, 1), label="x"))) == set()
    full = Annotation(
        shape=Polygon(TRIANGLE, (HOLE,)),
        label="x",
        score=0.0,
        text="",
        attributes={"a": None},
        provenance=ByPerson("Ada"),
    )
    assert set(features_of(full)) == set(Feature) - {Feature.MASK, Feature.ERROR}
    mask = mask_from_array(shape_to_array(Box(0, 0, 2, 2), 5, 5))
    assert set(features_of(Annotation(shape=mask, label="x"))) == {Feature.MASK}


def test_losses_are_counted_by_feature() -> None:
    pages = [
        AnnotatedPage(PAGE, (Annotation(shape=Polygon(TRIANGLE), label="x", score=1.0),) * 2),
        AnnotatedPage(PAGE, (Annotation(shape=Box(0, 0, 1, 1), label="x", text="t"),)),
        AnnotatedPage(PAGE, (), "It is gone."),
    ]
    assert losses(CSV, pages) == ["CSV cannot hold polygons (2): left out or simplified."]
    assert losses(VOC, pages) == [
        "Pascal VOC cannot hold page errors (1), polygons (2), scores (2), text (1): left out or simplified."
    ]
    assert losses(JSONL, pages) == []
    assert LossCounter(VOC).warnings() == []


@given(documents())
def test_a_format_that_holds_everything_loses_nothing(document: Document) -> None:
    assert losses(JSONL, document.pages) == losses(COCO, document.pages) == []


@given(documents(VOC.holds))
def test_what_a_format_holds_is_not_lost(document: Document) -> None:
    assert losses(VOC, document.pages) == []


@pytest.mark.parametrize("target", DATA_FORMATS, ids=lambda target: target.name)
def test_each_is_installed_under_its_name(target: Format) -> None:
    assert isinstance(target, Format)
    assert WRITERS.get(target.name) is target
    if target.name not in ("csv", "yolo-seg"):
        assert isinstance(READERS.get(target.name), ReadableFormat)
        assert READERS.get(target.name) is target


@pytest.mark.parametrize("target", DATA_FORMATS, ids=lambda target: target.name)
@settings(max_examples=25)
@given(document=documents())
def test_paths_differ_between_pages_and_formats_and_stay_inside(target: Format, document: Document) -> None:
    paths = list(written(target, document))
    assert len(set(paths)) == len(paths)
    if target.per_page:
        assert len(paths) >= sum(page.error is None for page in document.pages)
        assert all(path.startswith(f"{target.name}/") and ".." not in path.split("/") for path in paths)
    else:
        assert len(paths) == 1


def test_no_two_formats_write_the_same_file() -> None:
    document = Document(id="d", title="d", pages=[AnnotatedPage(PAGE)])
    paths = [path for target in DATA_FORMATS for path in written(target, document)]
    assert len(set(paths)) == len(paths)


def test_a_context_knows_no_sizes_unless_told() -> None:
    context = ParseContext()
    assert context.size_of("a.jpg") is None
    assert context.problems == []
    assert ParseContext().problems is not context.problems
