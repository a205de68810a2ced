"""Boxes of whole pixels, for formats that hold nothing finer."""

from __future__ import annotations

import math

from limner.annotations.page import Page
from limner.annotations.shapes import Box


def pixel_box(bounds: Box, page: Page) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom edge of a box in whole pixels of its page, right and bottom exclusive.

    Each edge goes to the nearest line between pixels, a half to the right or down; what sticks out
    of the page is cut off. At least one pixel is left of a box that touches the page, None of others.
    """
    across = _span(bounds.x, bounds.x2, page.width)
    down = _span(bounds.y, bounds.y2, page.height)
    return (across[0], down[0], across[1], down[1]) if across and down else None


def _span(start: float, end: float, limit: int) -> tuple[int, int] | None:
    if end <= 0 or (limit and start >= limit):
        return None
    first, last = max(0, math.floor(start + 0.5)), math.floor(end + 0.5)
    if last <= first:  # too narrow to be rounded: the pixel that its middle lies in
        first = max(0, math.floor((start + end) / 2))
    if limit:
        first, last = min(first, limit - 1), min(last, limit)
    return first, max(last, first + 1)


def cut_to_page(bounds: Box, page: Page) -> Box | None:
    """The part of a box that lies on its page, None where there is none; all of it where the page's size is unknown."""
    return bounds.intersection(Box(0, 0, page.width, page.height)) if page.sized else bounds
