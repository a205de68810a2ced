from dataclasses import replace
from pathlib import Path

import torch

from limner.annotations.annotation import Annotation
from limner.annotations.masks import mask_from_array
from limner.annotations.shapes import Box, Polygon
from limner.training.data.targets import target_of
from tests.training.datasets.made import SIZE, a_store, page


def test_boxes_are_scaled_with_the_image(tmp_path: Path) -> None:
    made = page(a_store(tmp_path), 0, [("b", 10, 20, 30, 10), ("unknown", 1, 1, 5, 5), ("a", 0, 0, 96, 64)])
    target = target_of(made, {"a": 0, "b": 1}, (SIZE[0] // 2, SIZE[1] // 2), number=7)
    assert target.boxes.tolist() == [[5, 10, 20, 15], [0, 0, 48, 32]]
    assert target.labels.tolist() == [1, 0]
    assert (target.page, target.masks, target.exhaustive.tolist()) == (7, None, [True, True])


def test_what_is_too_small_to_be_seen_is_ignored(tmp_path: Path) -> None:
    made = page(a_store(tmp_path), 0, [("a", 10, 20, 3, 30), ("a", 0, 0, 40, 40)])
    partly = replace(made, ignore=(Box(8, 8, 16, 8),), exhaustive=frozenset({"a"}))
    target = target_of(partly, {"a": 0, "b": 1}, (SIZE[0] // 4, SIZE[1] // 4), masks=True)
    assert target.boxes.tolist() == [[0, 0, 10, 10]]
    assert target.masks is not None
    assert target.masks.shape == (1, 16, 24)
    assert target.ignore.tolist() == [[2, 2, 6, 4], [2.5, 5, 3.25, 12.5]]
    assert target.exhaustive.tolist() == [True, False]


def test_masks_are_those_of_the_shapes(tmp_path: Path) -> None:
    bits = torch.zeros(SIZE[1], SIZE[0], dtype=torch.bool)
    bits[10:30, 20:60] = True
    shapes = [Box(4, 4, 8, 8), Polygon(((0, 0), (40, 0), (0, 40))), mask_from_array(bits.numpy())]
    made = replace(
        page(a_store(tmp_path), 0, []),
        annotations=tuple(Annotation(shape=shape, label="a") for shape in shapes),
    )
    masks = target_of(made, {"a": 0}, (SIZE[0] // 2, SIZE[1] // 2), masks=True).masks
    assert masks is not None
    assert masks.sum(dim=(1, 2)).tolist() == [16, 190, 200]
    assert masks[2, 5:15, 10:30].all()


def test_a_page_without_anything_has_empty_tensors(tmp_path: Path) -> None:
    target = target_of(page(a_store(tmp_path), 0, []), {"a": 0}, SIZE, masks=True).to("cpu")
    assert target.boxes.shape == (0, 4)
    assert target.masks is not None
    assert target.masks.shape == (0, SIZE[1], SIZE[0])
    assert target.only(torch.zeros(0, dtype=torch.bool)).labels.shape == (0,)
