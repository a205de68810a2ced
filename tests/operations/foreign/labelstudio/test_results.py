"""Findings as Label Studio's results; our own reader of its files reads them back."""

import json
from typing import Any

import numpy as np
import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.labelstudio import LABELSTUDIO
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.masks import mask_from_array
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Mask, Polygon, Shape
from limner.operations.foreign.labelstudio.config import LabelConfig, parse_config
from limner.operations.foreign.labelstudio.results import Prediction, label_for, prediction

PAGE = Page(id="a.png", name="a.png", index=0, width=200, height=100)
TRIANGLE = Polygon(((20, 10), (60, 10), (20, 50)))
HOLED = Polygon(((10, 10), (90, 10), (90, 90), (10, 90)), (((30, 30), (60, 30), (60, 60), (30, 60)),))


def mask() -> Mask:
    inside = np.zeros((100, 200), bool)
    inside[10:40, 20:60] = inside[60:90, 100:140] = True
    return mask_from_array(inside)


def config(*tags: str, labels: str = '<Label value="a"/><Label value="b"/>') -> LabelConfig:
    """A configuration with some control tags."""
    text = "".join(
        f'<{tag} name="{tag.lower()}-tag" toName="image">{labels if tag.endswith("Labels") else ""}</{tag}>'
        for tag in tags
    )
    return parse_config(f'<View><Image name="image" value="$image"/>{text}</View>')


def found(*shapes: Shape, **fields: Any) -> AnnotatedPage:
    """A page with annotations of these shapes."""
    given = {"label": "a", "score": 0.5, **fields}
    return AnnotatedPage(PAGE, tuple(Annotation(shape=shape, **given) for shape in shapes))


def read_back(made: Prediction) -> list[Annotation]:
    tasks = [{"data": {"image": "a.png"}, "predictions": [{"result": made.result}]}]
    (page,) = LABELSTUDIO.parse({"a.json": json.dumps(tasks)}, ParseContext())
    return list(page.annotations)


@pytest.mark.parametrize(
    ("shape", "tags", "kind"),
    [
        (Box(10, 20, 30, 40), ["PolygonLabels", "RectangleLabels", "BrushLabels"], "rectanglelabels"),
        (TRIANGLE, ["RectangleLabels", "BrushLabels", "PolygonLabels"], "polygonlabels"),
        (HOLED, ["RectangleLabels", "PolygonLabels", "BrushLabels"], "brushlabels"),
        (mask(), ["RectangleLabels", "PolygonLabels", "BrushLabels"], "brushlabels"),
        (Box(10, 20, 30, 40), ["PolygonLabels"], "polygonlabels"),
        (Box(10, 20, 30, 40), ["BrushLabels"], "brushlabels"),
        (TRIANGLE, ["RectangleLabels"], "rectanglelabels"),
    ],
)
def test_a_shape_goes_where_most_of_it_can_be_held(shape: Shape, tags: list[str], kind: str) -> None:
    made = prediction(found(shape), config(*tags), "m@1", ["a"])
    (result,) = made.result
    assert (result["type"], result["from_name"]) == (kind, f"{kind}-tag")
    (back,) = read_back(made)
    assert back.label == "a"
    assert back.shape.bounds.iou(shape.bounds) == pytest.approx(1)
    if kind.startswith("polygon") and isinstance(shape, Polygon):
        assert back.shape == shape


def test_a_mask_in_parts_is_several_polygons() -> None:
    made = prediction(found(mask()), config("PolygonLabels"), "m@1", ["a"])
    assert [each.shape.bounds.corners for each in read_back(made)] == [(20, 10, 60, 40), (100, 60, 140, 90)]
    assert len({each["id"] for each in made.result}) == 2


def test_a_region_with_a_label_and_text_is_several_results_with_one_id() -> None:
    page = found(Box(10, 20, 30, 40), text="incipit", label="line")
    made = prediction(page, config("Labels", "Rectangle", "TextArea"), "text@1", ["line"])
    assert [(each["type"], each["from_name"]) for each in made.result] == [
        ("rectangle", "rectangle-tag"),
        ("labels", "labels-tag"),
        ("textarea", "textarea-tag"),
    ]
    assert len({each["id"] for each in made.result}) == 1
    where = {"x": 5.0, "y": 20.0, "width": 15.0, "height": 40.0, "rotation": 0}
    assert made.result[0]["value"] == where
    assert made.result[1]["value"] == {**where, "labels": ["line"]}
    assert made.result[2]["value"] == {**where, "text": ["incipit"]}
    assert read_back(made)[0].text == "incipit"


def test_text_without_regions_is_one_text() -> None:
    page = found(Box(10, 10, 80, 10), Box(10, 30, 80, 10), text="a line", label="line")
    (result,) = prediction(page, config("TextArea"), "text@1", ["line"]).result
    assert (result["type"], result["value"]) == ("textarea", {"text": ["a line\na line"]})
    assert prediction(found(), config("TextArea"), "text@1", ["line"]).result == []


@pytest.mark.parametrize(
    ("labels", "model", "label", "expected"),
    [
        (["Cat", "Dog"], ["cat", "dog"], "cat", "Cat"),
        (["Cat", "Dog"], ["cat", "cow"], "cow", None),
        (["Diagram"], ["illustration", "initial"], "initial", "Diagram"),
        (["Cat", "Dog"], ["illustration"], "illustration", "illustration"),
        ([], ["illustration"], "illustration", "illustration"),
    ],
)
def test_labels_are_those_of_the_tag(labels: list[str], model: list[str], label: str, expected: str | None) -> None:
    tags = "".join(f'<Label value="{each}"/>' for each in labels)
    control = config("RectangleLabels", labels=tags).controls["rectanglelabels"]
    assert label_for(label, control, model) == expected


def test_what_has_no_label_there_is_left_out() -> None:
    page = found(Box(10, 10, 80, 10), label="cow")
    assert prediction(page, config("RectangleLabels"), "m@1", ["a", "cow"]).result == []


def test_the_score_is_the_mean_and_nothing_is_nought() -> None:
    two = AnnotatedPage(PAGE, tuple(Annotation(shape=Box(1, 1, 9, 9), label="a", score=score) for score in (0.5, 0.75)))
    made = prediction(two, config("RectangleLabels"), "m@1", ["a"])
    assert made.score == 0.625
    assert [each["score"] for each in made.result] == [0.5, 0.75]
    assert prediction(found(), config("RectangleLabels"), "m@1", ["a"]).plain() == {
        "model_version": "m@1",
        "score": 0.0,
        "result": [],
    }
