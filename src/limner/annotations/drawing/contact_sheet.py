"""Many small pictures on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from limner.annotations.drawing.overlay import label_font

_GROUND, _INK, _MUTED, _LINE = (250, 248, 244), (31, 29, 26), (107, 101, 92), (228, 223, 213)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One picture of a sheet."""

    image: Image.Image
    #: Written below it.
    caption: str
    #: Written below the caption, quieter.
    note: str = ""


@dataclass(frozen=True, slots=True)
class SheetStyle:
    """Measures of a sheet, in pixels."""

    #: Width and height of the room for one picture.
    cell: tuple[int, int] = (300, 400)
    columns: int = 4
    gap: int = 24
    #: Most pictures on one sheet; the rest is counted at the foot.
    most: int = 60


def contact_sheet(title: str, thumbnails: Sequence[Thumbnail], style: SheetStyle | None = None) -> Image.Image:
    """A sheet with a title and the pictures in rows, each fitted into its cell."""
    style = style or SheetStyle()
    shown = thumbnails[: style.most]
    columns = max(1, min(style.columns, len(shown)))
    rows = -(-len(shown) // columns)
    cell_height = style.cell[1] + 48
    head, foot = 76, 40 if len(thumbnails) > len(shown) else 0
    width = max(style.gap + columns * (style.cell[0] + style.gap), 480)
    sheet = Image.new("RGB", (width, head + rows * (cell_height + style.gap) + foot), _GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((style.gap, 24), _shortened(title, width - 2 * style.gap, 24), font=label_font(24), fill=_INK)
    for i, thumbnail in enumerate(shown):
        column, row = i % columns, i // columns
        at = (style.gap + column * (style.cell[0] + style.gap), head + row * (cell_height + style.gap))
        _place(sheet, draw, thumbnail, at, style)
    if foot:
        text = f"and {len(thumbnails) - len(shown)} more"
        draw.text((style.gap, sheet.height - foot), text, font=label_font(15), fill=_MUTED)
    return sheet


def _place(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, thumbnail: Thumbnail, at: tuple[int, int], style: SheetStyle
) -> None:
    small = thumbnail.image.copy()
    small.thumbnail(style.cell, Image.Resampling.LANCZOS)
    x, y = at[0] + (style.cell[0] - small.width) // 2, at[1] + style.cell[1] - small.height
    sheet.paste(small, (x, y))
    draw.rectangle((x - 1, y - 1, x + small.width, y + small.height), outline=_LINE)
    below = at[1] + style.cell[1]
    draw.text((at[0], below + 6), _shortened(thumbnail.caption, style.cell[0], 14), font=label_font(14), fill=_INK)
    draw.text((at[0], below + 26), _shortened(thumbnail.note, style.cell[0], 12), font=label_font(12), fill=_MUTED)


def _shortened(text: str, width: int, size: int) -> str:
    """The text, or as much of it as fits into a width in pixels, with an ellipsis."""
    font = label_font(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
