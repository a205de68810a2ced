from dataclasses import FrozenInstanceError

import pytest

from limner.annotations.annotation import Annotation, ByModel
from limner.annotations.shapes import Box

BOX = Box(1, 2, 3, 4)


def test_an_annotation_gets_an_id_of_its_own() -> None:
    one, other = Annotation(shape=BOX, label="x"), Annotation(shape=BOX, label="x")
    assert one.id
    assert one.id != other.id


@pytest.mark.parametrize("score", [0, 0.5, 1, None])
def test_scores_lie_between_0_and_1(score: float | None) -> None:
    assert Annotation(shape=BOX, label="x", score=score).score == score


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf")])
def test_other_scores_are_refused(score: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Annotation(shape=BOX, label="x", score=score)


@pytest.mark.parametrize("change", [{"label": ""}, {"id": ""}])
def test_label_and_id_are_needed(change: dict) -> None:
    with pytest.raises(ValueError, match="label and an id"):
        Annotation(**({"shape": BOX, "label": "x"} | change))


def test_neither_it_nor_its_attributes_can_be_changed() -> None:
    given = {"hand": "A"}
    annotation = Annotation(shape=BOX, label="x", attributes=given)
    given["hand"] = "B"
    assert annotation.attributes == {"hand": "A"}
    with pytest.raises(TypeError):
        annotation.attributes["hand"] = "C"
    with pytest.raises(FrozenInstanceError):
        annotation.label = "y"


def test_equal_provenance_is_equal() -> None:
    assert ByModel("m", "1", parameters={"t": 0.5}) == ByModel("m", "1", parameters={"t": 0.5})
    assert ByModel("m", "1") != ByModel("m", "2")
