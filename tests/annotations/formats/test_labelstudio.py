import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.annotation import Annotation, ByModel, ByPerson
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.brush import encode_brush
from limner.annotations.formats.labelstudio import LABELSTUDIO
from limner.annotations.formats.protocol import Feature, ParseContext
from limner.annotations.masks import mask_from_array, polygons_to_array
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Polygon
from limner.core.errors import FormatError
from tests.annotations.formats.files import one_file, problems_of, reread
from tests.annotations.strategies import documents

PAGE = Page(id="1", name="0001.png", index=0, width=200, height=100, source="https://example.org/full/max/default.jpg")


def document(*annotations: Annotation, page: Page = PAGE, error: str | None = None) -> Document:
    return Document(id="d", title="d", pages=[AnnotatedPage(page, annotations, error)])


def task_of(*annotations: Annotation, page: Page = PAGE) -> dict[str, Any]:
    (task,) = json.loads(one_file(LABELSTUDIO, document(*annotations, page=page)))
    return task


@given(documents(frozenset(Feature) - {Feature.HOLES}))
def test_everything_but_holes_comes_back_as_it_was(document: Document) -> None:
    read = reread(LABELSTUDIO, {"labelstudio.json": one_file(LABELSTUDIO, document)}, document)
    for before, after in zip(document.pages, read, strict=True):
        assert after.annotations == before.annotations
        assert after.error == before.error
        assert after.page == Page(
            id=before.page.name,
            name=before.page.name,
            index=before.page.index,
            width=before.page.width,
            height=before.page.height,
            source=before.page.source,
        )


@given(documents(frozenset({Feature.HOLES})))
def test_polygons_with_holes_come_back_as_the_same_pixels(document: Document) -> None:
    read = reread(LABELSTUDIO, {"labelstudio.json": one_file(LABELSTUDIO, document)}, document)
    for before, after in zip(document.pages, read, strict=True):
        for old, new in zip(before.annotations, after.annotations, strict=True):
            if isinstance(old.shape, Polygon):
                pixels = polygons_to_array((old.shape,), before.page.width, before.page.height)
                assert new.shape == mask_from_array(pixels)


def test_a_region_is_results_with_one_id_in_percent() -> None:
    task = task_of(Annotation(id="r1", shape=Box(50, 20, 100, 40), label="Diagram", score=0.75, text="αβ"))
    assert task["data"] == {"image": PAGE.source, "file_name": "0001.png"}
    head = {"id": "r1", "to_name": "image", "original_width": 200, "original_height": 100, "image_rotation": 0}
    where = {"x": 25, "y": 20, "width": 50, "height": 40, "rotation": 0}
    shape = {**head, "from_name": "label", "type": "rectanglelabels", "value": where | {"rectanglelabels": ["Diagram"]}}
    text = {**head, "from_name": "text", "type": "textarea", "value": where | {"text": ["αβ"]}}
    assert task["annotations"] == [{"result": [shape | {"score": 0.75}, text]}]


def test_what_models_found_is_a_prediction_until_a_person_works_on_the_page() -> None:
    by_model = Annotation(id="1", shape=Box(1, 1, 2, 2), label="a", provenance=ByModel("page-elements", "2"))
    by_person = Annotation(id="2", shape=Box(1, 1, 2, 2), label="a", provenance=ByPerson("Ada"))
    found = task_of(by_model)
    assert found["predictions"][0]["model_version"] == "page-elements@2"
    assert "annotations" not in found
    corrected = task_of(by_model, by_person)
    assert len(corrected["annotations"][0]["result"]) == 2
    assert "predictions" not in corrected


def test_a_path_on_the_disk_is_not_given_away() -> None:
    page = Page(id="1", name="a.jpg", index=0, source="/home/ada/a.jpg")
    assert task_of(page=page) == {"data": {"image": "a.jpg", "file_name": "a.jpg"}}


def test_a_page_of_unknown_size_cannot_be_written() -> None:
    with pytest.raises(FormatError, match=r"size of a\.jpg"):
        task_of(Annotation(shape=Box(1, 1, 1, 1), label="a"), page=Page(id="1", name="a.jpg", index=0))


def result(kind: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "r",
        "type": kind,
        "from_name": "t",
        "original_width": 200,
        "original_height": 100,
        "value": value,
    } | more


RECTANGLE = {"x": 25, "y": 20, "width": 50, "height": 40}


def read(*results: dict[str, Any], **task: Any) -> tuple[AnnotatedPage, list[str]]:
    plain = {"id": 5, "data": {"image": "/data/upload/3/0a1b2c3d-f.%2012v.jpg"}, "annotations": [{"result": results}]}
    (page,), problems = problems_of(LABELSTUDIO, {"a.json": json.dumps([plain | task])})
    return page, problems


def test_shape_label_and_text_may_stand_in_three_results() -> None:
    page, problems = read(
        result("rectangle", RECTANGLE),
        result("labels", RECTANGLE | {"labels": ["line", "title"]}, score=0.5),
        result("textarea", RECTANGLE | {"text": ["one", "two"]}),
        result("choices", RECTANGLE | {"choices": ["torn"]}, from_name="state"),
    )
    (annotation,) = page.annotations
    assert (annotation.shape, annotation.label, annotation.text) == (Box(50, 20, 100, 40), "line", "one\ntwo")
    assert annotation.attributes == {"more_labels": ["title"], "state": ["torn"]}
    assert annotation.score == 0.5
    assert problems == []
    assert (page.page.name, page.page.width, page.page.height) == ("f. 12v.jpg", 200, 100)


def test_a_turned_rectangle_is_a_polygon_turned_about_its_corner() -> None:
    page, _ = read(result("rectanglelabels", RECTANGLE | {"rotation": 90, "rectanglelabels": ["a"]}))
    corners = page.annotations[0].shape.exterior
    assert [(round(x, 6), round(y, 6)) for x, y in corners] == [(50, 20), (50, 120), (10, 120), (10, 20)]


def test_an_ellipse_is_a_polygon_of_nearly_its_area() -> None:
    value = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 30, "rotation": 30, "ellipselabels": ["a"]}
    page, _ = read(result("ellipselabels", value))
    assert page.annotations[0].shape.area == pytest.approx(math.pi * 20 * 30, rel=0.01)


def test_text_without_label_is_text() -> None:
    page, _ = read(result("rectangle", RECTANGLE), result("textarea", {"text": "one"}))
    assert [(a.label, a.text) for a in page.annotations] == [("text", "one")]


def test_the_newest_annotation_that_was_not_cancelled_is_taken() -> None:
    def version(label: str, **more: Any) -> dict[str, Any]:
        return {"result": [result("rectanglelabels", RECTANGLE | {"rectanglelabels": [label]})]} | more

    page, problems = read(
        annotations=[
            version("old", updated_at="2024-01-01T10:00:00Z"),
            version("new", updated_at="2024-03-01T10:00:00Z"),
            version("cancelled", updated_at="2024-04-01T10:00:00Z", was_cancelled=True),
        ],
        predictions=[version("prediction")],
    )
    assert [a.label for a in page.annotations] == ["new"]
    assert problems == ["a.json, task 5 has 2 versions; the newest was taken."]
    page, _ = read(annotations=[], predictions=[version("prediction")])
    assert [a.label for a in page.annotations] == ["prediction"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"image": "https://example.org/a/b.jpg?x=1"}, "b.jpg"),
        ({"image": "/data/local-files/?d=scans/f%201.tif"}, "f 1.tif"),
        ({"ocr": "s3://bucket/0a1b2c3d-b.png"}, "0a1b2c3d-b.png"),
        ({"image": "data:image/png;base64,AAAA"}, "task-5"),
        ({"n": 1}, "task-5"),
    ],
)
def test_the_name_of_a_page_is_that_of_its_file(data: dict[str, Any], name: str) -> None:
    page, _ = read(data=data)
    assert page.page.name == name


@pytest.mark.parametrize(
    "bad",
    [
        result("keypointlabels", {"x": 1, "y": 1, "width": 1, "keypointlabels": ["a"]}),
        result("rectanglelabels", RECTANGLE | {"width": 0, "rectanglelabels": ["a"]}),
        result("rectanglelabels", RECTANGLE),
        result("rectanglelabels", RECTANGLE | {"rectanglelabels": ["a"]}, image_rotation=90),
        result("rectanglelabels", RECTANGLE | {"rectanglelabels": ["a"]}, score=5),
        result("polygonlabels", {"points": [[1, 1], [2, 2]], "polygonlabels": ["a"]}),
        result("brushlabels", {"rle": [1, 2], "brushlabels": ["a"]}),
        result("brushlabels", {"rle": encode_brush(np.zeros((100, 200), dtype=bool)), "brushlabels": ["a"]}),
        {"type": "relation", "from_id": "a", "to_id": "b"},
        {"id": "r", "value": RECTANGLE | {"rectanglelabels": ["a"]}},
    ],
)
def test_an_unusable_region_is_reported(bad: dict[str, Any]) -> None:
    page, problems = read(bad)
    assert page.annotations == ()
    assert problems[0].startswith("a.json, task 5, region ")


def test_a_size_that_no_image_has_makes_no_array() -> None:
    huge = result("brushlabels", {"rle": [1], "brushlabels": ["a"]}, original_width=10**6, original_height=10**6)
    _, problems = read(huge)
    assert "1000000 × 1000000 pixels" in problems[0]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["data", "annotations", "result", "value", "points", "x", "meta", "labels", "text"]), x
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_stands_in_a_task_no_reader_breaks(value: object) -> None:
    problems_of(LABELSTUDIO, {"a.json": json.dumps([{"data": {}}, {"data": value}])})
    problems_of(LABELSTUDIO, {"a.json": json.dumps([{"data": {}, "annotations": value}])})
    problems_of(LABELSTUDIO, {"a.json": json.dumps([{"data": {}, "predictions": [{"result": [value]}]}])})
    problems_of(LABELSTUDIO, {"a.json": json.dumps([{"data": {}, "predictions": [{"result": [{"value": value}]}]}])})


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"id": 1, "label": []}]'])
def test_another_file_is_refused_by_name(text: str) -> None:
    with pytest.raises(FormatError, match=r"^a\.json "):
        list(LABELSTUDIO.parse({"a.json": text}, ParseContext()))
