"""Text: from the lines that an engine has found and read to annotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from limner.annotations.annotation import Annotation, Provenance
from limner.annotations.shapes import Box, Polygon
from limner.core.errors import ShapeError
from limner.models.tasks.line_images import Quads, upright
from limner.models.tasks.reading_order import reading_order
from limner.models.tasks.zones import Area


@dataclass(frozen=True, slots=True)
class Region:
    """A region with text, in pixels of the area that was looked at."""

    #: 4 × 2: the corners, clockwise.
    quad: Quads
    #: How sure the engine is, 0 to 1.
    score: float
    #: What is written there; None where it was not read.
    text: str | None = None


def region_annotations(
    regions: Iterable[Region], area: Area, label: str, least: float, provenance: Provenance
) -> Iterator[Annotation]:
    """Regions as annotations in pixels of the page, without those below a score or without area."""
    for region in regions:
        shape = region_shape(region.quad, area) if region.score >= least else None
        if shape is not None:
            score = min(max(float(region.score), 0.0), 1.0)
            yield Annotation(shape=shape, label=label, score=score, text=region.text, provenance=provenance)


def region_shape(quad: Quads, area: Area) -> Box | Polygon | None:
    """Four corners in an area's pixels as a box where they are upright, else as a polygon; None without area."""
    corners = tuple((float(x), float(y)) for x, y in quad)
    try:
        polygon = area.to_page(Polygon(corners))
    except ShapeError:  # cut down to nothing at the edge of the image
        return None
    return polygon.bounds if upright(quad) else polygon


def in_reading_order(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Annotations in the order in which people read them."""
    return [annotations[at] for at in reading_order([each.shape.bounds for each in annotations])]
