"""A sheet to be printed: its inks, the type set on it, and the truth about what stands where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from limner.annotations.annotation import Annotation
from limner.annotations.shapes import Box
from limner.operations.samples.drawing import BARE, INK, SCALE, Pen, Points, new_mask
from limner.operations.samples.typesetting import Face, set_paragraph

Edges = tuple[float, float, float, float]


@dataclass
class Column:
    """Where text goes: a left edge, a width, and the baseline of the next line."""

    left: float
    width: float
    #: Baseline of the next line, pixels from the top.
    y: float
    leading: float
    #: Width kept free at the left of the first lines, and how many lines that are: an initial.
    kept: tuple[float, int] = (0.0, 0)


@dataclass
class Sheet:
    """What will be printed on one page."""

    width: int
    height: int
    rng: np.random.Generator
    masks: dict[str, Image.Image] = field(default_factory=dict)
    #: Zones, in the order in which they were made.
    zones: list[tuple[str, Box]] = field(default_factory=list)
    #: Lines of text, in reading order.
    lines: list[tuple[str, Box]] = field(default_factory=list)

    def mask(self, ink: str) -> Image.Image:
        """The mask of an ink."""
        if ink not in self.masks:
            self.masks[ink] = new_mask(self.width, self.height)
        return self.masks[ink]

    def pen(self, ink: str = "black") -> Pen:
        """A pen with an ink."""
        return Pen(ImageDraw.Draw(self.mask(ink)), self.rng)

    def cover(self, outline: Points) -> None:
        """Take all ink away from an area: something will stand in front of what was there."""
        for ink in self.masks:
            self.pen(ink).fill(outline, BARE)

    def zone(self, label: str, edges: Edges) -> None:
        """Say what stands in a rectangle (left, top, right, bottom)."""
        left, top, right, bottom = edges
        box = Box.from_corners(max(left, 0), max(top, 0), min(right, self.width), min(bottom, self.height))
        self.zones.append((label, box))

    def write(self, text: str, face: Face, at: tuple[float, float], ink: str = "black", *, told: bool = True) -> Edges:
        """A text from the left end of its baseline; gives the edges of its ink.

        ``told`` says whether it is a line of its own in the truth.
        """
        x, y = at
        draw = ImageDraw.Draw(self.mask(ink))
        if face.spaced:
            for count, letter in enumerate(text):
                left = x + face.width(text[:count]) + (face.spaced if count else 0)
                draw.text((left * SCALE, y * SCALE), letter, INK, face.font, anchor="ls")
        else:
            draw.text((x * SCALE, y * SCALE), text, INK, face.font, anchor="ls")
        left, top, right, bottom = face.extent(text)
        edges = (x + left, y + top, x + right, y + bottom)
        if told:
            self.lines.append((text, Box.from_corners(*edges)))
        return edges

    def stencil(
        self, letter: str, face: Face, at: tuple[float, float], ink: str, stroke: float = 0.0, value: int = INK
    ) -> None:
        """A letter as part of a picture, made bolder by a stroke around it; `BARE` cuts it out of what is there."""
        place = (at[0] * SCALE, at[1] * SCALE)
        draw = ImageDraw.Draw(self.mask(ink))
        draw.text(place, letter, value, face.font, anchor="ls", stroke_width=round(stroke * SCALE))

    def centred(
        self, text: str, face: Face, middle: float, y: float, ink: str = "black", *, told: bool = True
    ) -> Edges:
        """A text around an upright axis."""
        return self.write(text, face, (middle - face.width(text) / 2, y), ink, told=told)

    def ended(self, text: str, face: Face, right: float, y: float, ink: str = "black", *, told: bool = True) -> Edges:
        """A text that ends at a right edge."""
        return self.write(text, face, (right - face.width(text), y), ink, told=told)

    def around_arc(
        self, text: str, face: Face, centre: tuple[float, float], radius: float, middle: float, ink: str = "black"
    ) -> None:
        """A text along a circle, its letters upright to it; ``middle`` in degrees, clockwise from the right.

        It is part of a picture, and no line of the truth.
        """
        per_pixel = 180 / np.pi / radius
        angle = middle - face.width(text) / 2 * per_pixel
        for letter in text:
            own = face.width(letter)
            angle += own / 2 * per_pixel
            self._letter(letter, face, centre, radius, angle, ink)
            angle += (own / 2 + face.spaced) * per_pixel

    def _letter(
        self, letter: str, face: Face, centre: tuple[float, float], radius: float, angle: float, ink: str
    ) -> None:
        side = round(face.size * SCALE * 2)
        tile = Image.new("L", (side, side), 0)
        ImageDraw.Draw(tile).text((side / 2, side / 2 + face.size * SCALE * 0.3), letter, INK, face.font, anchor="ms")
        tile = tile.rotate(-(angle + 90), resample=Image.Resampling.BICUBIC)
        turn = np.radians(angle)
        x = (centre[0] + radius * np.cos(turn)) * SCALE - side / 2
        y = (centre[1] + radius * np.sin(turn)) * SCALE - side / 2
        self.mask(ink).paste(INK, (round(x), round(y)), tile)

    def paragraph(self, text: str, face: Face, column: Column, indent: float = 0.0, *, ragged: bool = False) -> Edges:
        """A paragraph in a column, whose ``y`` moves on; gives the edges of its ink.

        ``ragged`` leaves the spaces between words as they are, and so the lines of different lengths.
        """
        width, rows = column.kept

        def measure(number: int) -> tuple[float, float]:
            own = width if number < rows else (indent if number == 0 else 0.0)
            return own, column.width - own

        boxes = []
        set_lines = set_paragraph(text, face, measure, ragged=ragged)
        for line in set_lines:
            parts = [
                self.write(word, face, (column.left + place, column.y), told=False)
                for word, place in zip(line.words, line.places, strict=True)
            ]
            boxes.append(joined(parts))
            self.lines.append((line.text, Box.from_corners(*boxes[-1])))
            column.y += column.leading
        column.kept = (width, max(0, rows - len(set_lines)))
        return joined(boxes)


def grown(edges: Edges, by: float = 3) -> Edges:
    """A rectangle with some space around it."""
    return edges[0] - by, edges[1] - by, edges[2] + by, edges[3] + by


def joined(edges: Sequence[Edges]) -> Edges:
    """The rectangle around some rectangles."""
    left, top, right, bottom = zip(*edges, strict=True)
    return min(left), min(top), max(right), max(bottom)


def truth(name: str, sheet: Sheet) -> tuple[tuple[Annotation, ...], tuple[Annotation, ...]]:
    """Zones and lines of a sheet as annotations; the same each time."""
    zones = tuple(
        Annotation(shape=box, label=label, id=f"{name}-zone-{number}")
        for number, (label, box) in enumerate(sheet.zones, 1)
    )
    lines = tuple(
        Annotation(shape=box, label="line", text=text, id=f"{name}-line-{number}")
        for number, (text, box) in enumerate(sheet.lines, 1)
    )
    return zones, lines
