"""A page: one image, and its place on a IIIF canvas.

The mapping between pixels of the image and units of the canvas lives here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from limner.annotations.shapes import Box, Polygon
from limner.core.errors import ShapeError

S = TypeVar("S", Box, Polygon)


@dataclass(frozen=True, slots=True)
class Canvas:
    """A IIIF canvas, and the part of it that a page's image covers."""

    #: The canvas's URI.
    id: str
    #: Width in canvas units, above zero.
    width: float
    #: Height in canvas units, above zero.
    height: float
    #: Where the image is painted, in canvas units; None for the whole canvas.
    target: Box | None = None

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ShapeError(f"The canvas {self.id} has no area: {self.width:g} × {self.height:g}.")

    @property
    def painted(self) -> Box:
        """Where the image is painted, in canvas units."""
        return self.target or Box(0, 0, self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One image of a document.

    Annotations of a page are in pixels of this image at its original size, whatever size was
    downloaded or shown to the model.
    """

    #: Unique in its document, and the same each time the document is read.
    id: str
    #: File name of the image, unique in its document.
    name: str
    #: Position in the document, from 0; an image that could not be had keeps its position.
    index: int
    #: Width of the original image in pixels; 0 while unknown.
    width: int = 0
    #: Height of the original image in pixels; 0 while unknown.
    height: int = 0
    #: Where the image comes from: a URL, a path, or a path inside a container.
    source: str = ""
    #: What people call the page (“f. 12v”).
    label: str | None = None
    #: The canvas that the image is painted on, for pages of a IIIF manifest.
    canvas: Canvas | None = None

    def __post_init__(self) -> None:
        if not self.id or not self.name:
            raise ValueError("A page needs an id and a file name.")
        if self.index < 0 or self.width < 0 or self.height < 0:
            raise ValueError(f"A page cannot have index {self.index} and size {self.width} × {self.height}.")

    @property
    def sized(self) -> bool:
        """Whether the size of the original image is known."""
        return self.width > 0 and self.height > 0

    def to_canvas(self, shape: S) -> S:
        """A shape of the image in units of the canvas, or as it is where there is no canvas.

        A mask has no place on a canvas, whose units are no pixels: give its polygons
        (`limner.annotations.masks.mask_to_polygons`).
        """
        if self.canvas is None:
            return shape
        painted, (sx, sy) = self.canvas.painted, self._factors()
        return shape.scaled(sx, sy).translated(painted.x, painted.y)

    def to_image(self, shape: S) -> S:
        """A shape on the canvas in pixels of the image."""
        if self.canvas is None:
            return shape
        painted, (sx, sy) = self.canvas.painted, self._factors()
        return shape.translated(-painted.x, -painted.y).scaled(1 / sx, 1 / sy)

    def _factors(self) -> tuple[float, float]:
        """Canvas units for one image pixel, across and down."""
        if self.canvas is None:
            return (1.0, 1.0)
        if not self.sized:
            raise ShapeError(f"The size of {self.name} is not known, so its canvas cannot be reckoned with.")
        return (self.canvas.painted.width / self.width, self.canvas.painted.height / self.height)
