"""Annotations on the image that is at hand, which may not have the size that their file says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.pixels import cut_to_page
from limner.annotations.masks import mask_from_array, mask_to_array
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Mask, Shape
from limner.core.errors import FormatError, ShapeError
from limner.operations.datasets.images import KeptImage

#: How far the proportions of two copies of an image may differ.
_SAME = 0.02
#: How far annotations may stick out of an image of another size than was said, as a share of it.
_OVER = 0.02


def on_image(annotated: AnnotatedPage, image: KeptImage, problems: list[str]) -> tuple[Annotation, ...]:
    """The annotations in pixels of the image, cut off at its edges.

    They are scaled where the file speaks of a copy of another size, and taken as they are where it is wrong
    about the size but they lie on the image. Raises `FormatError` where they cannot belong to it.
    """
    page, size = annotated.page, (image.width, image.height)
    said = (page.width, page.height)
    found: Sequence[Annotation] = annotated.annotations
    if page.sized and said != size and found:
        across, down = size[0] / said[0], size[1] / said[1]
        if image.turned and said == size[::-1]:
            raise FormatError(
                f"its annotations are for {said[0]} × {said[1]} pixels, and the image stands upright at "
                f"{size[0]} × {size[1]}: EXIF turns it. Save it upright and annotate it so."
            )
        if abs(across / down - 1) <= _SAME:
            found = [replace(each, shape=_scaled(each.shape, size, across, down)) for each in found]
        elif _lie_on(found, size):
            problems.append(f"{page.name} is {size[0]} × {size[1]} pixels, not {said[0]} × {said[1]} as its file says.")
        else:
            raise FormatError(
                f"its file says {said[0]} × {said[1]} pixels and the image has {size[0]} × {size[1]}: "
                "the annotations cannot belong to it."
            )
    return tuple(_cut(found, replace(page, width=size[0], height=size[1]), problems))


def _scaled(shape: Shape, size: tuple[int, int], across: float, down: float) -> Shape:
    if not isinstance(shape, Mask):
        return shape.scaled(across, down)
    bits = mask_to_array(shape).astype(np.uint8)
    small = cv2.resize(bits, size, interpolation=cv2.INTER_NEAREST).astype(bool)
    return mask_from_array(small) if small.any() else shape.bounds.scaled(across, down)


def _lie_on(annotations: Sequence[Annotation], size: tuple[int, int]) -> bool:
    """Whether all lie on an image of a size; masks have one of their own."""
    most = size[0] * (1 + _OVER), size[1] * (1 + _OVER)
    return all(
        not isinstance(each.shape, Mask) and each.shape.bounds.x2 <= most[0] and each.shape.bounds.y2 <= most[1]
        for each in annotations
    )


def _cut(annotations: Sequence[Annotation], page: Page, problems: list[str]) -> Iterator[Annotation]:
    for each in annotations:
        try:
            seen = cut_to_page(each.shape.bounds, page)
        except ShapeError:  # less than a number can hold is left of it
            seen = None
        if seen is None:
            problems.append(f"{page.name}: the annotation {each.id} lies outside of the image and was left out.")
        elif isinstance(each.shape, Box):
            yield each if seen == each.shape else replace(each, shape=seen)
        else:
            yield each
