"""Overlays: shapes stand where they should, in their colour, on a copy."""

import numpy as np
from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.drawing.colours import colour_of
from limner.annotations.drawing.overlay import Style, draw_overlay
from limner.annotations.masks import mask_from_array
from limner.annotations.shapes import Box, Polygon

PAPER = (240, 230, 210)


def _paper(width: int = 400, height: int = 300) -> Image.Image:
    return Image.new("RGB", (width, height), PAPER)


def _at(image: Image.Image, x: int, y: int) -> tuple[int, int, int]:
    red, green, blue = image.getpixel((x, y))
    return red, green, blue


def test_a_box_of_the_original_stands_at_its_place_on_a_smaller_image() -> None:
    drawn = draw_overlay(_paper(), [Annotation(shape=Box(1000, 1000, 1000, 1000), label="text")], (4000, 3000))
    assert _at(drawn, 150, 200) == colour_of("text")
    assert _at(drawn, 150, 150) != PAPER
    assert _at(drawn, 50, 50) == PAPER


def test_the_page_itself_is_not_drawn_on() -> None:
    page = _paper()
    draw_overlay(page, [Annotation(shape=Box(10, 10, 50, 50), label="text")], page.size)
    assert np.asarray(page).reshape(-1, 3).max(axis=0).tolist() == list(PAPER)


def test_holes_stay_clear() -> None:
    outer, hole = ((50, 50), (250, 50), (250, 250), (50, 250)), ((100, 100), (200, 100), (200, 200), (100, 200))
    drawn = draw_overlay(_paper(), [Annotation(shape=Polygon(outer, (hole,)), label="text")], (400, 300))
    assert _at(drawn, 75, 150) != PAPER
    assert _at(drawn, 150, 150) == PAPER


def test_the_surer_the_stronger() -> None:
    def strength(score: float) -> int:
        drawn = draw_overlay(
            _paper(), [Annotation(shape=Box(50, 100, 200, 100), label="text", score=score)], (400, 300)
        )
        return sum(abs(a - b) for a, b in zip(_at(drawn, 150, 150), PAPER, strict=True))

    assert strength(0.1) < strength(0.5) < strength(1.0)


def test_masks_in_parts_are_drawn_in_all_their_parts() -> None:
    bits = np.zeros((300, 400), bool)
    bits[100:150, 50:100] = bits[200:250, 300:350] = True
    drawn = draw_overlay(_paper(), [Annotation(shape=mask_from_array(bits), label="text")], (400, 300))
    assert _at(drawn, 75, 125) != PAPER
    assert _at(drawn, 325, 225) != PAPER
    assert _at(drawn, 200, 175) == PAPER


def test_shapes_beyond_the_page_are_no_trouble() -> None:
    shapes = [Box(-50, -50, 5000, 5000), Box(900, 900, 10, 10), Box(-100, 100, 50, 50)]
    drawn = draw_overlay(_paper(), [Annotation(shape=shape, label="text", score=0.2) for shape in shapes], (400, 300))
    assert drawn.size == (400, 300)


def test_grey_pages_come_out_in_colour() -> None:
    drawn = draw_overlay(
        Image.new("L", (100, 100), 200), [Annotation(shape=Box(20, 40, 50, 50), label="text")], (100, 100)
    )
    assert drawn.mode == "RGB"
    assert _at(drawn, 20, 60) == colour_of("text")


def test_low_shapes_are_tagged_once_and_not_covered() -> None:
    """Thirty text lines: the first has a tag, the others can be read."""
    lines = [Annotation(shape=Box(20, 20 + 30 * n, 300, 14), label="line", score=0.9) for n in range(30)]
    drawn = np.asarray(draw_overlay(_paper(400, 1000), lines, (400, 1000)))
    plates = [(drawn[6 + 30 * n : 16 + 30 * n, 24:60] == colour_of("line")).all(axis=2).mean() for n in range(30)]
    assert plates[0] > 0.4
    assert max(plates[1:]) < 0.3


def test_the_boxes_around_masks_are_drawn_where_they_are_wanted() -> None:
    bits = np.zeros((300, 400), bool)
    bits[100:150, 50:100] = bits[200:250, 300:350] = True
    found = [Annotation(shape=mask_from_array(bits), label="text")]
    between = (50, 200)  # on the left edge of the box, beside both parts
    assert _at(draw_overlay(_paper(), found, (400, 300)), *between) == PAPER
    assert _at(draw_overlay(_paper(), found, (400, 300), Style(boxes=True)), *between) == colour_of("text")


def test_small_shapes_are_named_where_all_are_to_be() -> None:
    found = [Annotation(shape=Box(50, 60 + 60 * number, 40, 8), label="text") for number in range(4)]

    def tags(style: Style) -> int:
        drawn = draw_overlay(_paper(), found, (400, 300), style)
        return sum(_at(drawn, 52, 60 + 60 * number - 4) == colour_of("text") for number in range(4))

    assert tags(Style()) == 1
    assert tags(Style(every_tag=True)) == 4


def test_a_fill_can_be_stronger() -> None:
    found = [Annotation(shape=Box(50, 100, 200, 100), label="text")]
    weak, strong = (
        np.asarray(draw_overlay(_paper(), found, (400, 300), Style(fill=fill)))[150, 150].astype(int)
        for fill in (56, 255)
    )
    assert tuple(strong) == colour_of("text")
    assert tuple(weak) != colour_of("text")
