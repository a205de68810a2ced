"""A sheet to draw on, and where its ink is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from limner.annotations.shapes import Box
from limner.operations.samples.drawing import SCALE
from limner.operations.samples.sheet import Sheet


@pytest.fixture
def sheet() -> Sheet:
    """An empty sheet."""
    return Sheet(600, 700, np.random.default_rng(2))


@pytest.fixture
def inked(sheet: Sheet) -> Callable[..., Box]:
    """Gives the rectangle around all ink, or around some inks."""

    def bounds(*names: str) -> Box:
        boxes = [mask.getbbox() for name, mask in sheet.masks.items() if name in names or not names]
        edges = np.array([box for box in boxes if box]) / SCALE
        return Box.from_corners(*edges[:, :2].min(axis=0), *edges[:, 2:].max(axis=0))

    return bounds
