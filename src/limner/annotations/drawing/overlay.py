"""Annotations drawn over their page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

from PIL import Image, ImageDraw, ImageFont

from limner.annotations.annotation import Annotation
from limner.annotations.drawing.colours import colour_of
from limner.annotations.masks import shape_to_polygons
from limner.annotations.shapes import Box, Point, Polygon, Ring


@dataclass(frozen=True, slots=True)
class Style:
    """How annotations are drawn."""

    #: Opacity of a fill, 0 to 255, for something found with full certainty.
    fill: int = 56
    #: Whether the boxes around masks and polygons are drawn too.
    boxes: bool = False
    #: Whether each shape is named, however many there are and however small.
    every_tag: bool = False


#: For pages full of shapes.
PLAIN = Style()


def draw_overlay(
    image: Image.Image, annotations: Iterable[Annotation], size: tuple[int, int], style: Style = PLAIN
) -> Image.Image:
    """A copy of the page with shapes, labels and scores drawn in.

    ``size`` is the width and height of the original page, in whose pixels the shapes are; the image
    may be smaller. A shape is a line of two pixels with a halo, filled the more the surer it is.
    """
    found = list(annotations)
    scale = (image.width / size[0], image.height / size[1])
    page = image.convert("RGB")
    outlines = [(annotation, _on_image(annotation, scale)) for annotation in found]
    page = _fill(page, outlines, style.fill)
    draw = ImageDraw.Draw(page)
    for annotation, rings in outlines:
        boxes = [_box_ring(rings)] if style.boxes and not isinstance(annotation.shape, Box) else []
        _outline(draw, annotation, [*rings, *boxes], max(2, round(max(page.size) / 800)))
    for annotation, rings in outlines if style.every_tag else _worth_a_tag(outlines, page.size):
        corners = _box_ring(rings) if style.boxes else rings[0]
        _tag(draw, annotation, min(corners, key=lambda point: (point[1], point[0])), page.size)
    return page


def _outline(draw: ImageDraw.ImageDraw, annotation: Annotation, rings: list[Ring], width: int) -> None:
    """Lines in the label's colour, some pixels wide, with a halo."""
    for ring in rings:
        closed = [*ring, ring[0], ring[1]]
        draw.line(closed, fill=(255, 255, 255), width=width + 2, joint="curve")
        draw.line(closed, fill=colour_of(annotation.label), width=width, joint="curve")


def _box_ring(rings: list[Ring]) -> Ring:
    x1, y1, x2, y2 = _union(Polygon(ring).bounds for ring in rings).corners
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def _worth_a_tag(
    outlines: list[tuple[Annotation, list[Ring]]], size: tuple[int, int]
) -> Iterator[tuple[Annotation, list[Ring]]]:
    """Shapes high enough that a tag hides little, and of each label the first, so that all are named.

    A page of text lines would otherwise be a page of tags.
    """
    named: set[str] = set()
    for annotation, rings in outlines:
        high = Polygon(rings[0]).bounds.height
        if annotation.label not in named or high >= 3 * _tag_height(size):
            named.add(annotation.label)
            yield annotation, rings


def _tag_height(size: tuple[int, int]) -> int:
    """Height in pixels of the lettering on an image of some width and height."""
    return max(11, round(max(size) / 95))


def _on_image(annotation: Annotation, scale: tuple[float, float]) -> list[Ring]:
    polygons = (polygon.scaled(*scale) for polygon in shape_to_polygons(annotation.shape))
    return [ring for polygon in polygons for ring in polygon.rings]


def _fill(page: Image.Image, outlines: list[tuple[Annotation, list[Ring]]], fill: int) -> Image.Image:
    """Lay the colours over the page, each in its own box so that a page full of shapes stays quick."""
    for annotation, rings in outlines:
        opacity = round(fill * (0.35 + 0.65 * (1.0 if annotation.score is None else annotation.score)))
        box = _pixel_box(rings, page.size)
        if box is None:
            continue
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
        painter = ImageDraw.Draw(mask)
        for ring in rings:
            moved = [(x - box[0], y - box[1]) for x, y in ring]
            painter.polygon(moved, fill=0 if _is_hole(ring, rings) else opacity)
        page.paste(Image.new("RGB", mask.size, colour_of(annotation.label)), box[:2], mask)
    return page


def _is_hole(ring: Ring, rings: list[Ring]) -> bool:
    """Whether a ring lies in an earlier one: shapes list a hole after the line around it."""
    x, y = ring[0]
    return any(other is not ring and _inside(x, y, other) for other in rings[: rings.index(ring)])


def _inside(x: float, y: float, ring: Ring) -> bool:
    inside = False
    for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def _pixel_box(rings: list[Ring], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    bounds = Polygon(rings[0]).bounds if len(rings) == 1 else _union(Polygon(ring).bounds for ring in rings)
    seen = bounds.intersection(Box(0, 0, *size))
    if seen is None:
        return None
    x1, y1, x2, y2 = (int(seen.x), int(seen.y), int(seen.x2) + 1, int(seen.y2) + 1)
    return (x1, y1, min(x2, size[0]), min(y2, size[1]))


def _union(boxes: Iterable[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*(box.corners for box in boxes), strict=True)
    return Box.from_corners(min(lefts), min(tops), max(rights), max(bottoms))


@cache
def label_font(size: int) -> ImageFont.FreeTypeFont:
    """The sans serif that labels are written in, at a height in pixels."""
    with as_file(files("font_manrope") / "files" / "Manrope-SemiBold.ttf") as path:
        return ImageFont.truetype(str(path), size)


def _tag(draw: ImageDraw.ImageDraw, annotation: Annotation, corner: Point, size: tuple[int, int]) -> None:
    """The label and score, on a plate of the label's colour at the shape's highest corner."""
    text = annotation.label if annotation.score is None else f"{annotation.label} {annotation.score:.2f}"
    font = label_font(_tag_height(size))
    left, top, right, bottom = font.getbbox(text)
    wide, high = right - left + 8, bottom - top + 6
    x = min(max(0, corner[0]), size[0] - wide)
    y = corner[1] - high if corner[1] >= high else corner[1]
    draw.rectangle((x, y, x + wide, y + high), fill=colour_of(annotation.label))
    draw.text((x + 4 - left, y + 3 - top), text, font=font, fill=(255, 255, 255))
