"""Figures of a model on annotated pages, worked out by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import UsageError
from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.models.protocol import Predictor, RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from limner.operations.accuracy.figures import measure
from limner.operations.accuracy.labelled import LabelledPage
from tests.models.networks import yolov5_bundle


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """It says the same of each image: two things "a" and one "b", and one it is unsure of."""
    rows = [
        [16, 16, 16, 16, 1, 0.9, 0],
        [48, 48, 16, 16, 1, 0.8, 0],
        [16, 48, 16, 16, 1, 0, 0.7],
        [48, 16, 16, 16, 1, 0, 0.1],
    ]
    folder = yolov5_bundle(tmp_path_factory.mktemp("m") / "fixed", rows, labels=("a", "b"))
    return ONNX.load(read_bundle(folder), RuntimeOptions(threads=1))


def pages(folder: Path, *things: list[tuple[str, tuple[int, int]]]) -> list[LabelledPage]:
    """Images of 64 × 64 with things of 16 × 16 around some points."""
    out = []
    for at, each in enumerate(things):
        path = folder / f"{at}.png"
        cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint8))
        found = tuple(Annotation(shape=Box(x - 8, y - 8, 16, 16), label=label) for label, (x, y) in each)
        out.append(LabelledPage(AnnotatedPage(Page(id=path.name, name=path.name, index=at), found), path))
    return out


def test_figures_by_hand(predictor: Predictor, tmp_path: Path) -> None:
    given = pages(tmp_path, [("a", (16, 16)), ("b", (48, 16)), ("c", (1, 1))], [("a", (16, 17)), ("a", (48, 48))])
    found = measure(predictor, given, Settings(data=tmp_path))
    a, b = found.labels
    # Of four finds of "a" three are right, and all three things are found.
    assert (a.ratios.finds, a.ratios.things, a.ratios.precision, a.ratios.recall) == (4, 3, 0.75, 1.0)
    assert a.ratios.f1 == pytest.approx(6 / 7)
    # 0.9 right, 0.9 right, 0.8 wrong, 0.8 right: recall 1/3 and 2/3 at precision 1, then 3/4.
    assert a.ap50 == pytest.approx((67 * 1 + 34 * 0.75) / 101)
    # Of "b" the surest finds are wrong; what is right lies below the threshold, and counts for AP alone.
    assert (b.ratios.finds, b.ratios.right, b.ratios.recall) == (2, 0, 0)
    assert b.ap50 == pytest.approx(1 / 3)
    assert found.map50 == pytest.approx((a.ap50 + b.ap50) / 2)
    assert (found.all.finds, found.all.right) == (6, 3)
    assert (found.unknown, found.unused, found.pages) == (("c",), (), 2)
    plain = found.to_plain()
    assert plain["labels"][0]["f1"] == a.ratios.f1
    assert plain["unknown_labels"] == ["c"]


def test_labels_that_no_page_has_are_not_counted(predictor: Predictor, tmp_path: Path) -> None:
    found = measure(predictor, pages(tmp_path, [("b", (16, 48))]), Settings(data=tmp_path))
    assert [each.label for each in found.labels] == ["b"]
    assert found.unused == ("a",)
    assert found.map50 == 1


def test_pages_of_other_things_are_refused(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="knows a, b, and the pages have x: no label is shared"):
        measure(predictor, pages(tmp_path, [("x", (9, 9))]), Settings(data=tmp_path))
