"""Intersection over union of pixels: how well the area of each label is covered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from limner.annotations.annotation import Annotation
from limner.annotations.masks import shape_to_array
from limner.annotations.shapes import Shape
from limner.training.datasets.dataset import DatasetPage

Counts = npt.NDArray[np.int64]


def pixel_counts(page: DatasetPage, found: Iterable[Annotation], labels: Sequence[str], threshold: float) -> Counts:
    """Pixels of a page that a label has in both, and in either: [labels, 2]. Ignore zones are left out."""
    size = (page.page.width, page.page.height)
    known = ~_area(page.ignore, size)
    sure = [each for each in found if each.score is None or each.score >= threshold]
    out = np.zeros((len(labels), 2), dtype=np.int64)
    for at, label in enumerate(labels):
        if page.exhaustive is not None and label not in page.exhaustive:
            continue
        there = _area([each.shape for each in page.annotations if each.label == label], size) & known
        seen = _area([each.shape for each in sure if each.label == label], size) & known
        out[at] = (there & seen).sum(), (there | seen).sum()
    return out


def pixel_iou(counts: Iterable[Counts]) -> list[float | None]:
    """IoU of each label over all pages; None where nobody has a pixel of it."""
    total = np.sum(list(counts), axis=0)
    return [both / either if either else None for both, either in total.tolist()]


def _area(shapes: Iterable[Shape], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Pixels that belong to one of the shapes, on an image of some width and height: [height, width]."""
    out = np.zeros((size[1], size[0]), dtype=np.bool_)
    for shape in shapes:
        out |= shape_to_array(shape, *size)
    return out
