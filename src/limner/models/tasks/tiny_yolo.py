"""The answer of YOLO version 1 as one vector, and the vector that a trainer wants for some boxes.

The image is divided into a grid. In this order the vector holds the class probabilities of each cell,
the confidences of each cell's boxes, and the coordinates of these boxes: x and y of the centre relative
to the cell, and the square roots of width and height relative to the image. The layout is that of
darknet's detection layer; cells go row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import ModelError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Grid:
    """The shape of an answer."""

    #: Number of labels.
    classes: int
    #: Cells along a side.
    cells: int = 7
    #: Boxes of each cell.
    boxes: int = 2

    @property
    def length(self) -> int:
        """Numbers in a vector: 1470 for 20 classes."""
        return self.cells**2 * (self.classes + 5 * self.boxes)


@dataclass(frozen=True, slots=True)
class Parts:
    """A vector, cut up; rows and columns of cells are the first two axes."""

    #: cells × cells × classes
    classes: Floats
    #: cells × cells × boxes
    confidences: Floats
    #: cells × cells × boxes × 4: x, y, √width, √height
    coordinates: Floats


@dataclass(frozen=True, slots=True)
class Decoded:
    """All boxes of a vector, in the order of the vector."""

    #: n × 4: centre x, centre y, width and height as fractions of the image.
    boxes: Floats
    #: n × classes: confidence of the box times probability of the class.
    scores: Floats


def parts(vector: npt.NDArray[Any], grid: Grid) -> Parts:
    """Views into a vector; raises `ModelError` when it has another length."""
    flat = np.asarray(vector, np.float32).reshape(-1)
    if len(flat) != grid.length:
        raise ModelError(
            f"The network gives {len(flat)} numbers; for {grid.classes} labels there would be {grid.length}."
        )
    cells, boxes = (grid.cells, grid.cells), grid.boxes
    ends = np.cumsum([grid.cells**2 * grid.classes, grid.cells**2 * boxes])
    classes, confidences, coordinates = np.split(flat, ends)
    return Parts(
        classes.reshape(*cells, grid.classes),
        confidences.reshape(*cells, boxes),
        coordinates.reshape(*cells, boxes, 4),
    )


def decode_grid(vector: npt.NDArray[Any], grid: Grid) -> Decoded:
    """Every box of a vector, whatever its score; raises `ModelError` when it has another length."""
    cut = parts(vector, grid)
    boxes = cut.coordinates.copy()
    boxes[..., 0] = (boxes[..., 0] + np.arange(grid.cells, dtype=np.float32)[None, :, None]) / grid.cells
    boxes[..., 1] = (boxes[..., 1] + np.arange(grid.cells, dtype=np.float32)[:, None, None]) / grid.cells
    boxes[..., 2:] **= 2
    scores = cut.confidences[..., None] * cut.classes[:, :, None, :]
    return Decoded(boxes.reshape(-1, 4), scores.reshape(-1, grid.classes))


def encode_grid(boxes: npt.NDArray[Any], labels: Sequence[int], grid: Grid) -> Floats:
    """The vector for some boxes (n × 4: centre x, centre y, width, height, as fractions of the image).

    The cell in which a centre lies answers for it, in all its boxes: which of them learns it, a trainer
    chooses by the overlap. Of two centres in one cell the larger box counts. Raises `ValueError` for
    boxes whose centre is not on the image.
    """
    vector = np.zeros(grid.length, np.float32)
    cut = parts(vector, grid)
    table = np.asarray(boxes, np.float32).reshape(-1, 4)
    if ((table[:, :2] < 0) | (table[:, :2] > 1) | (table[:, 2:] < 0)).any():
        raise ValueError("a box has its centre outside the image, or no size")
    for at in np.argsort(table[:, 2] * table[:, 3], kind="stable"):  # the largest last: it stays
        x, y, width, height = table[at]
        column, row = (min(int(place * grid.cells), grid.cells - 1) for place in (x, y))
        cut.classes[row, column] = 0
        cut.classes[row, column, labels[at]] = 1
        cut.confidences[row, column] = 1
        cut.coordinates[row, column] = (
            x * grid.cells - column,
            y * grid.cells - row,
            np.sqrt(width),
            np.sqrt(height),
        )
    return vector
