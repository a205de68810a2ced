from dataclasses import replace

import pytest
import torch

from limner.models.tasks.tiny_yolo import Grid
from limner.training.data.targets import Target
from limner.training.detection.yolo_grid import cells_of, grid_losses, unknown_cells, wanted_vectors

#: Seven by seven cells of two boxes, twenty labels, an image of 448 pixels: cells of 64.
GRID, SIZE = Grid(20), (448, 448)
#: Centre 224, 160: in the middle of the fourth cell of the third row; two cells wide and high.
TARGET = Target(
    boxes=torch.tensor([[160.0, 96, 288, 224]]),
    labels=torch.tensor([11]),
    ignore=torch.zeros(0, 4),
    exhaustive=torch.ones(20, dtype=torch.bool),
)
CELL, CLASSES, COORDINATES = 2 * 7 + 3, 7 * 7 * 20, 7 * 7 * (20 + 2)
ROOT = (2 / 7) ** 0.5


def wanted(target: Target = TARGET) -> torch.Tensor:
    return wanted_vectors([target], [SIZE], GRID)


def test_the_vector_of_a_worked_example() -> None:
    vector = wanted()
    assert vector.shape == (1, 1470)
    assert vector[0, CELL * 20 + 11] == 1
    assert vector[0, CLASSES + CELL * 2 : CLASSES + CELL * 2 + 2].tolist() == [1, 1]
    coordinates = vector[0, COORDINATES + CELL * 8 : COORDINATES + CELL * 8 + 8].tolist()
    assert coordinates == pytest.approx([0.5, 0.5, ROOT, ROOT] * 2)
    assert float(vector.sum()) == pytest.approx(1 + 2 + sum(coordinates))
    cut = cells_of(vector, GRID)
    assert cut.classes[0, 2, 3, 11] == 1
    assert cut.coordinates[0, 2, 3, 1].tolist() == coordinates[4:]


def said(x: float) -> torch.Tensor:
    """An answer: the first box nearly right, the second far too small."""
    vector = torch.zeros(1, GRID.length)
    vector[0, CELL * 20 + 11], vector[0, CELL * 20 + 4] = 0.6, 0.2
    vector[0, CLASSES + CELL * 2], vector[0, CLASSES + CELL * 2 + 1] = 0.8, 0.3
    vector[0, CLASSES] = 0.4  # the first cell believes in something
    first = COORDINATES + CELL * 8
    vector[0, first : first + 8] = torch.tensor([x, 0.5, ROOT, ROOT, 0.5, 0.5, 0.1, 0.1])
    return vector


def costs(x: float, target: Target = TARGET) -> dict[str, float]:
    found = grid_losses(said(x), wanted(target), unknown_cells([target], [SIZE], GRID), GRID)
    return {name: round(float(each), 5) for name, each in found.items()}


def test_the_loss_of_a_worked_example() -> None:
    label = 0.4**2 + 0.2**2
    nothing = 0.5 * (0.3**2 + 0.4**2)
    assert costs(0.5) == pytest.approx({"label": label, "box": 0, "object": 0.2**2, "nothing": nothing})
    # A tenth of a cell to the right: 6.4 of 128 pixels.
    overlap = 121.6 / 134.4
    moved = costs(0.6)
    assert moved["box"] == pytest.approx(5 * 0.1**2, abs=1e-5)
    assert moved["object"] == pytest.approx((0.8 - overlap) ** 2, abs=1e-5)


def test_cells_that_nobody_knows_teach_nothing() -> None:
    zone = replace(TARGET, ignore=torch.tensor([[10.0, 10, 70, 40]]))
    assert unknown_cells([zone], [SIZE], GRID)[0].nonzero().tolist() == [[0, 0], [0, 1]]
    assert costs(0.5, zone)["nothing"] == pytest.approx(0.5 * 0.3**2, abs=1e-5)
    partly = replace(TARGET, exhaustive=torch.arange(20) != 3)
    assert bool(unknown_cells([partly], [SIZE], GRID).all())
    assert costs(0.5, partly) == costs(0.5) | {"nothing": 0.0}


def test_where_no_box_overlaps_the_one_that_differs_least_learns() -> None:
    vector = torch.zeros(1, GRID.length, requires_grad=True)
    with torch.no_grad():
        first = COORDINATES + CELL * 8
        vector[0, first + 4 : first + 8] = 0.1
    grid_losses(vector, wanted(), unknown_cells([TARGET], [SIZE], GRID), GRID)["box"].backward()
    assert vector.grad is not None
    assert vector.grad[0, first : first + 4].abs().sum() == 0 or vector.grad[0, first + 4 : first + 8].abs().sum() > 0
