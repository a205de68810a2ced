from dataclasses import replace
from pathlib import Path

import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.shapes import Box
from limner.training.evaluation.pixels import pixel_counts, pixel_iou
from tests.training.datasets.made import a_store, page


def test_areas_are_compared_label_by_label(tmp_path: Path) -> None:
    made = page(a_store(tmp_path), 0, [("a", 0, 0, 20, 10), ("a", 10, 0, 20, 10), ("b", 50, 50, 4, 4)])
    found = [
        Annotation(shape=Box(15, 0, 15, 10), label="a", score=0.9),
        Annotation(shape=Box(40, 40, 9, 9), label="b", score=0.2),
    ]
    counts = pixel_counts(made, found, ("a", "b", "c"), 0.5)
    assert counts.tolist() == [[150, 300], [0, 16], [0, 0]]
    assert pixel_iou([counts, counts]) == [pytest.approx(0.5), 0.0, None]


def test_what_is_unknown_is_left_out(tmp_path: Path) -> None:
    made = page(a_store(tmp_path), 0, [("a", 0, 0, 20, 10)])
    partly = replace(made, ignore=(Box(10, 0, 50, 50),), exhaustive=frozenset({"a"}))
    found = [Annotation(shape=Box(0, 0, 40, 10), label="a"), Annotation(shape=Box(0, 0, 9, 9), label="b", score=1.0)]
    assert pixel_counts(partly, found, ("a", "b"), 0.5).tolist() == [[100, 100], [0, 0]]
