import pytest
import torch

from limner.training.augment.geometry import Movement, cropped, moved, moved_boxes, turned
from limner.training.data.targets import Target


def _scene(box: tuple[int, int, int, int] = (20, 10, 40, 30)) -> tuple[torch.Tensor, Target]:
    image = torch.zeros(3, 60, 80, dtype=torch.uint8)
    masks = torch.zeros(1, 60, 80, dtype=torch.uint8)
    x1, y1, x2, y2 = box
    image[:, y1:y2, x1:x2] = 255
    masks[0, y1:y2, x1:x2] = 1
    return image, Target(
        boxes=torch.tensor([box], dtype=torch.float32),
        labels=torch.tensor([0]),
        masks=masks,
        ignore=torch.tensor([[0.0, 0, 10, 10]]),
        exhaustive=torch.ones(1, dtype=torch.bool),
    )


@pytest.mark.parametrize(
    "movement",
    [
        Movement(),
        Movement(mirrored=True),
        Movement(shift=(12.0, -6.0)),
        Movement(scale=1.3),
        Movement(scale=0.7, mirrored=True),
        Movement(angle=10.0),
        Movement(angle=-7.0, scale=1.1, shift=(3.0, 4.0), mirrored=True),
    ],
)
def test_boxes_and_masks_follow_the_pixels(movement: Movement) -> None:
    image, target = moved(*_scene(), movement)
    ys, xs = torch.nonzero(image[0] > 200, as_tuple=True)
    seen = torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).float()
    assert (seen - target.boxes[0]).abs().max() <= 2
    assert target.masks is not None
    both = ((target.masks[0] > 0) & (image[0] > 120)).sum()
    assert both > 0.95 * (target.masks[0] > 0).sum()
    assert image.shape == (3, 60, 80)


def test_what_is_cut_away_is_forgotten_and_what_is_half_seen_is_ignored() -> None:
    gone = moved(*_scene(), Movement(shift=(-60.0, 0.0)))[1]
    assert (len(gone.boxes), len(gone.ignore)) == (0, 0)
    half = moved(*_scene(), Movement(shift=(-34.0, 0.0)))[1]
    assert len(half.boxes) == 0
    assert half.masks is not None
    assert half.masks.shape[0] == 0
    assert half.ignore.tolist() == [[0, 10, 6, 30]]
    most = moved(*_scene(), Movement(shift=(-28.0, 0.0)))[1]
    assert most.boxes.tolist() == [[0, 10, 12, 30]]


def test_no_boxes_stay_none() -> None:
    assert moved_boxes(torch.zeros(0, 4), Movement(angle=3), (9, 9)).shape == (0, 4)


def test_a_part_keeps_what_is_in_it() -> None:
    image, target = cropped(*_scene(), (30, 12, 80, 60))
    assert image.shape == (3, 48, 50)
    assert target.boxes.tolist() == [[0, 0, 10, 18]]
    assert target.masks is not None
    assert target.masks[0].sum() == 10 * 18
    assert (image[0] > 200).sum() == 10 * 18
    assert target.ignore.tolist() == []
    little = cropped(*_scene(), (36, 0, 80, 60))[1]
    assert (len(little.boxes), little.ignore.tolist()) == (0, [[0, 10, 4, 30]])


@pytest.mark.parametrize("quarters", [1, 2, 3, 4])
def test_turned_boxes_lie_on_turned_pixels(quarters: int) -> None:
    image, target = turned(*_scene((20, 10, 44, 30)), quarters)
    assert image.shape[1:] == ((80, 60) if quarters % 2 else (60, 80))
    ys, xs = torch.nonzero(image[0] > 200, as_tuple=True)
    assert target.boxes.tolist() == [[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]]
    assert target.masks is not None
    assert torch.equal(target.masks[0] > 0, image[0] > 200)
    assert target.ignore[0].tolist() != [0, 0, 10, 10] or quarters == 4
