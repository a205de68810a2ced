"""The vector of YOLO version 1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import ModelError
from limner.models.tasks.decoders import Reading, decode
from limner.models.tasks.specs import TinyYolo
from limner.models.tasks.tiny_yolo import Grid, decode_grid, encode_grid, parts

GRID = Grid(classes=20)


def test_the_vector_of_twenty_classes_has_1470_numbers() -> None:
    assert GRID.length == 1470
    assert [each.size for each in vars_of(parts(np.zeros(1470), GRID))] == [980, 98, 392]


def vars_of(cut) -> list[np.ndarray]:
    return [cut.classes, cut.confidences, cut.coordinates]


def test_a_worked_example() -> None:
    """A cow in the second box of the cell in column 3, row 5, worked out by hand."""
    vector = np.zeros(1470, np.float32)
    cell = 5 * 7 + 3
    vector[cell * 20 + 9] = 0.8  # class 9
    vector[980 + cell * 2 + 1] = 0.5  # confidence of the second box
    vector[980 + 98 + (cell * 2 + 1) * 4 :][:4] = [0.25, 0.5, 0.6, 0.4]
    found = decode([vector[None]], TinyYolo(), Reading(20, 0.2, (448, 448)))
    assert found.classes.tolist() == [9]
    np.testing.assert_allclose(found.scores, [0.4], rtol=1e-6)
    # x = 3.25 / 7, y = 5.5 / 7, width 0.36, height 0.16: of 448 pixels 208, 352, 161.28 and 71.68
    np.testing.assert_allclose(found.boxes, [[127.36, 316.16, 288.64, 387.84]], rtol=1e-5)
    assert found.repeats


def test_both_boxes_of_a_cell_have_scores_of_their_own() -> None:
    vector = np.zeros(GRID.length, np.float32)
    vector[:20] = np.linspace(0, 0.95, 20)
    vector[980:982] = [1.0, 0.1]
    scores = decode_grid(vector, GRID).scores
    np.testing.assert_allclose(scores[0], np.linspace(0, 0.95, 20), rtol=1e-6)
    np.testing.assert_allclose(scores[1], np.linspace(0, 0.095, 20), rtol=1e-5)
    assert not scores[2:].any()


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(ModelError, match="gives 1470 numbers; for 3 labels there would be 637"):
        decode([np.zeros((1, 1470), np.float32)], TinyYolo(), Reading(3, 0.2, (448, 448)))


def test_of_two_centres_in_one_cell_the_larger_box_counts() -> None:
    boxes = np.array([[0.51, 0.51, 0.5, 0.5], [0.52, 0.52, 0.1, 0.1]])
    for order in ([0, 1], [1, 0]):
        cut = parts(encode_grid(boxes[order], order, Grid(2)), Grid(2))
        assert cut.confidences.sum() == 2
        np.testing.assert_allclose(cut.coordinates[3, 3, 0, 2:] ** 2, [0.5, 0.5], rtol=1e-6)
        assert cut.classes[3, 3].tolist() == [1, 0]


def test_a_centre_on_the_far_edge_belongs_to_the_last_cell() -> None:
    cut = parts(encode_grid(np.array([[1.0, 1.0, 0.2, 0.2]]), [0], Grid(1)), Grid(1))
    assert cut.confidences[6, 6].tolist() == [1, 1]


@pytest.mark.parametrize("box", [[1.2, 0.5, 0.1, 0.1], [0.5, -0.1, 0.1, 0.1], [0.5, 0.5, -0.1, 0.1]])
def test_boxes_off_the_image_are_refused(box: list[float]) -> None:
    with pytest.raises(ValueError, match="centre"):
        encode_grid(np.array([box]), [0], Grid(1))


side = st.floats(0.015625, 1.0, width=32)


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 6), st.integers(0, 6)),
        st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99), side, side, st.integers(0, 2)),
        max_size=6,
    )
)
def test_what_is_encoded_is_decoded_again(cells: dict) -> None:
    boxes = np.array([[(c + x) / 7, (r + y) / 7, w, h] for (c, r), (x, y, w, h, _) in cells.items()]).reshape(-1, 4)
    labels = [each[4] for each in cells.values()]
    decoded = decode_grid(encode_grid(boxes, labels, Grid(3)), Grid(3))
    at, classes = np.nonzero(decoded.scores)
    # Each comes twice: both boxes of its cell have it.
    assert sorted(classes.tolist()) == sorted(labels * 2)
    found = {(label, *np.round(box, 3)) for label, box in zip(classes, decoded.boxes[at].astype(float), strict=True)}
    wanted = {
        (label, *np.round(box.astype(np.float32).astype(float), 3)) for label, box in zip(labels, boxes, strict=True)
    }
    for one in wanted:
        assert any(one[0] == other[0] and np.allclose(one[1:], other[1:], atol=2e-3) for other in found)
