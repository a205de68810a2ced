"""Shapes cut to a rectangle."""

from __future__ import annotations

import numpy as np

from limner.annotations.masks import mask_to_array
from limner.annotations.shapes import Box, Mask, Point, Polygon, Ring, Shape
from limner.core.errors import ShapeError
from limner.models.tasks.instance_masks import embedded


def clipped(shape: Shape, frame: Box) -> Shape | None:
    """The part of a shape inside a rectangle, or None where there is none."""
    bounds = shape.bounds
    shared = bounds.intersection(frame)
    if shared is None or shared == bounds:
        return None if shared is None else shape
    match shape:
        case Box():
            return shared
        case Mask():
            return _clipped_mask(shape, frame)
        case Polygon():
            return _clipped_polygon(shape, frame)


def _clipped_mask(mask: Mask, frame: Box) -> Mask | None:
    """The pixels whose centres lie inside."""
    left, top = (max(0, int(np.ceil(edge - 0.5))) for edge in (frame.x, frame.y))
    right, bottom = (max(0, int(np.ceil(edge - 0.5))) for edge in (frame.x2, frame.y2))
    return embedded(mask_to_array(mask)[top:bottom, left:right], left, top, (mask.width, mask.height))


def _clipped_polygon(polygon: Polygon, frame: Box) -> Polygon | None:
    exterior, *holes = (_clipped_ring(ring, frame) for ring in polygon.rings)
    try:
        return Polygon(exterior, tuple(hole for hole in holes if _has_area(hole)))
    except ShapeError:  # only its bounds met the rectangle
        return None


def _has_area(ring: Ring) -> bool:
    return len(set(ring)) > 2 and all(len(set(values)) > 1 for values in zip(*ring, strict=True))


def _clipped_ring(ring: Ring, frame: Box) -> Ring:
    """Sutherland and Hodgman's method: cut along one edge of the rectangle after the other.

    Parts that a concave ring falls into stay joined along the edge, with no area between them.
    """
    for axis, edge, keeps_below in ((0, frame.x, False), (0, frame.x2, True), (1, frame.y, False), (1, frame.y2, True)):
        ring = _cut(ring, axis, edge, keeps_below=keeps_below)
    return ring


def _cut(ring: Ring, axis: int, edge: float, *, keeps_below: bool) -> Ring:
    """The ring on one side of a line that is parallel to an axis."""
    out: list[Point] = []
    for before, point in zip((*ring[-1:], *ring), ring, strict=False):
        was_inside = before[axis] == edge or (before[axis] < edge) == keeps_below
        is_inside = point[axis] == edge or (point[axis] < edge) == keeps_below
        if was_inside != is_inside:
            share = (edge - before[axis]) / (point[axis] - before[axis])
            across = before[1 - axis] + share * (point[1 - axis] - before[1 - axis])
            out.append((edge, across) if axis == 0 else (across, edge))
        if is_inside:
            out.append(point)
    return tuple(out)
