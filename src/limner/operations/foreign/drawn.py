"""What was found, drawn into its image."""

from __future__ import annotations

import io

from PIL import Image

from limner.annotations.drawing.overlay import Style, draw_overlay
from limner.operations.instant import InstantPage

#: Masks to be seen well, with their boxes, and a name at each.
INSTANCES = Style(fill=128, boxes=True, every_tag=True)


def draw_found(page: InstantPage, most: int | None = None) -> Image.Image:
    """The page's picture with masks, boxes and names drawn in, its sides at most ``most`` pixels; blocks.

    The page has to have been asked for with its picture.
    """
    assert page.picture is not None  # noqa: S101 - whoever draws has asked for it
    image = Image.fromarray(page.picture.pixels)
    if most is not None:
        image.thumbnail((most, most), reducing_gap=2.0)
    return draw_overlay(image, page.annotated.annotations, (page.picture.width, page.picture.height), INSTANCES)


def encoded(image: Image.Image, kind: str) -> bytes:
    """An image as a file of a kind that Pillow writes: ``PNG``, ``JPEG``, …"""
    out = io.BytesIO()
    options = {"JPEG": {"quality": 92, "subsampling": 0}, "PNG": {"compress_level": 1}}.get(kind, {})
    image.save(out, kind, **options)
    return out.getvalue()
