"""What is on a page and what was found there, as arrays.

What is unknown counts neither for nor against a model, as a crowd does in COCO: an ignore zone for every
label, and the whole page for a label that nobody looked for there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from limner.annotations.annotation import Annotation
from limner.annotations.masks import mask_from_array, mask_to_string, shape_to_array
from limner.annotations.shapes import Box, Shape
from limner.core.errors import UsageError
from limner.training.datasets.dataset import DatasetPage

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
#: A mask as COCO writes it: ``{"size": [height, width], "counts": "…"}``.
Rle: TypeAlias = dict[str, "list[int] | str"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PageTruth:
    """What is on a page."""

    name: str
    width: int
    height: int
    #: Left, top, right and bottom, pixels: [N, 4].
    boxes: Floats
    #: Positions among the labels: [N].
    labels: Ints
    #: One for each box, or None where boxes are compared.
    masks: tuple[Rle, ...] | None = None
    #: Zones in which nothing is known, corners in pixels: [M, 4].
    ignore: Floats
    #: Whether a label was looked for: [labels].
    exhaustive: Bools

    @property
    def unknown(self) -> tuple[Floats, Ints]:
        """Zones that count for nobody, and the label that each is for: ignore zones for all labels, and whole pages."""
        if not len(self.ignore) and self.exhaustive.all():
            return np.zeros((0, 4)), np.zeros(0, dtype=np.int64)
        everywhere, labels = np.array([[0.0, 0.0, self.width, self.height]]), np.arange(len(self.exhaustive))
        zones = np.concatenate([self.ignore] * len(labels) + [everywhere] * int((~self.exhaustive).sum()))
        meant = np.concatenate([np.repeat(labels, len(self.ignore)), labels[~self.exhaustive]])
        return zones, meant


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PageFound:
    """What a model found on a page, the surest first."""

    name: str
    boxes: Floats
    labels: Ints
    #: 0 to 1: [N].
    scores: Floats
    masks: tuple[Rle, ...] | None = None

    def above(self, threshold: float) -> PageFound:
        """What is at least so sure."""
        sure = self.scores >= threshold
        masks = None if self.masks is None else tuple(each for each, kept in zip(self.masks, sure, strict=True) if kept)
        return PageFound(
            name=self.name, boxes=self.boxes[sure], labels=self.labels[sure], scores=self.scores[sure], masks=masks
        )


def truth_of(page: DatasetPage, labels: Sequence[str], *, masks: bool = False) -> PageTruth:
    """What a dataset says of a page; annotations of other labels are left out."""
    place = {label: at for at, label in enumerate(labels)}
    known = [each for each in page.annotations if each.label in place]
    size = (page.page.width, page.page.height)
    return PageTruth(
        name=page.page.name,
        width=size[0],
        height=size[1],
        boxes=_corners([each.shape.bounds for each in known]),
        labels=np.array([place[each.label] for each in known], dtype=np.int64),
        masks=tuple(rle(each.shape, size) for each in known) if masks else None,
        ignore=_corners(page.ignore),
        exhaustive=np.array([page.exhaustive is None or label in page.exhaustive for label in labels], dtype=bool),
    )


def found_of(
    name: str, annotations: Sequence[Annotation], labels: Sequence[str], size: tuple[int, int], *, masks: bool = False
) -> PageFound:
    """What was found, from annotations with scores (1 where there is none); other labels are left out."""
    place = {label: at for at, label in enumerate(labels)}
    known = [each for each in annotations if each.label in place]
    known.sort(key=lambda each: -_score(each))
    return PageFound(
        name=name,
        boxes=_corners([each.shape.bounds for each in known]),
        labels=np.array([place[each.label] for each in known], dtype=np.int64),
        scores=np.array([_score(each) for each in known], dtype=np.float64),
        masks=tuple(rle(each.shape, size) for each in known) if masks else None,
    )


def paired(truth: Sequence[PageTruth], found: Sequence[PageFound]) -> None:
    """Raise `UsageError` unless both speak of the same pages in the same order."""
    if [each.name for each in truth] != [each.name for each in found]:
        raise UsageError("What was found is not of the pages that it is compared with.")


def _score(annotation: Annotation) -> float:
    return 1.0 if annotation.score is None else annotation.score


def _corners(boxes: Sequence[Box]) -> Floats:
    return np.array([each.corners for each in boxes], dtype=np.float64).reshape(-1, 4)


def rle(shape: Shape, size: tuple[int, int]) -> Rle:
    """A shape as COCO's mask, on an image of some width and height."""
    mask = mask_from_array(shape_to_array(shape, *size))
    return {"size": [mask.height, mask.width], "counts": mask_to_string(mask)}
