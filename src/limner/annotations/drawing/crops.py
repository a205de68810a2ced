"""The parts of a page that annotations cover, cut out."""

from __future__ import annotations

from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.shapes import Box


def crop_box(annotation: Annotation, image: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of an annotation in whole pixels of an image.

    ``image`` is the width and height of the image at hand, ``size`` those of the original page.
    None where the annotation lies outside the page.
    """
    bounds = annotation.shape.bounds.scaled(image[0] / size[0], image[1] / size[1])
    seen = bounds.intersection(Box(0, 0, *image))
    if seen is None:
        return None
    x1, y1 = min(int(seen.x), image[0] - 1), min(int(seen.y), image[1] - 1)
    return (x1, y1, max(x1 + 1, round(seen.x2)), max(y1 + 1, round(seen.y2)))


def cut_out(image: Image.Image, annotation: Annotation, size: tuple[int, int]) -> Image.Image | None:
    """The part of the image that the annotation's box covers; None where it lies outside."""
    box = crop_box(annotation, image.size, size)
    return None if box is None else image.crop(box)
