"""Annotations and images that do not have the size that was said."""

import numpy as np
import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.masks import mask_from_array, mask_to_array
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Polygon, Shape
from limner.core.errors import FormatError
from limner.operations.datasets.fitting import on_image
from limner.operations.datasets.images import KeptImage


def _on(
    shape: Shape, said: tuple[int, int], real: tuple[int, int], *, turned: bool = False
) -> tuple[list[Shape], list[str]]:
    page = Page(id="p", name="p.jpg", index=0, width=said[0], height=said[1])
    annotated = AnnotatedPage(page, (Annotation(shape=shape, label="a", id="x"),))
    problems: list[str] = []
    found = on_image(annotated, KeptImage("0.jpg", *real, turned=turned), problems)
    return [each.shape for each in found], problems


def test_what_fits_is_left_alone() -> None:
    for said in ((100, 80), (0, 0)):
        assert _on(Box(1, 2, 30, 40), said, (100, 80)) == ([Box(1, 2, 30, 40)], [])


def test_copies_of_another_size_are_scaled() -> None:
    assert _on(Box(1, 2, 30, 40), (100, 80), (200, 160)) == ([Box(2, 4, 60, 80)], [])
    ring = ((10, 10), (20, 10), (20, 20))
    assert _on(Polygon(ring), (100, 80), (50, 40))[0] == [Polygon(tuple((x / 2, y / 2) for x, y in ring))]
    bits = np.zeros((80, 100), bool)
    bits[20:40, 30:60] = True
    (mask,), _ = _on(mask_from_array(bits), (100, 80), (200, 160))
    assert mask_to_array(mask).shape == (160, 200)
    assert mask.bounds == Box(60, 40, 60, 40)


def test_a_wrong_size_is_said_where_the_annotations_lie_on_the_image() -> None:
    found, problems = _on(Box(1, 2, 30, 40), (100, 80), (90, 200))
    assert found == [Box(1, 2, 30, 40)]
    assert "90 × 200 pixels, not 100 × 80" in problems[0]


def test_annotations_of_another_image_are_refused() -> None:
    with pytest.raises(FormatError, match="cannot belong"):
        _on(Box(1, 2, 60, 40), (100, 80), (50, 200))
    with pytest.raises(FormatError, match="EXIF turns it"):
        _on(Box(1, 2, 30, 40), (100, 80), (80, 100), turned=True)


def test_what_sticks_out_is_cut_off_and_what_lies_outside_left_out() -> None:
    assert _on(Box(-5, 70, 30, 40), (100, 80), (100, 80)) == ([Box(0, 70, 25, 10)], [])
    found, problems = _on(Box(100, 70, 30, 40), (100, 80), (100, 80))
    assert found == []
    assert "lies outside" in problems[0]
