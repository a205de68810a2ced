import torch
from torch import Tensor

from limner.models.architectures.lite import boxes_at, points_of
from limner.training.data.targets import Target
from limner.training.detection.assignment import assign

POINTS, STRIDES = points_of(64, 96)


def _target(boxes: list[list[float]], labels: list[int], **more: Tensor) -> Target:
    known = {"ignore": torch.zeros(0, 4), "exhaustive": torch.ones(3, dtype=torch.bool)} | more
    return Target(boxes=torch.tensor(boxes).reshape(-1, 4), labels=torch.tensor(labels, dtype=torch.int64), **known)


def _guess(target: Target) -> tuple[Tensor, Tensor]:
    """Points that all say a little of everything and draw boxes of one size."""
    return torch.full((len(POINTS), 3), 0.1), boxes_at(POINTS, torch.full((len(POINTS), 4), 12.0))


def test_points_cover_the_image_at_three_strides() -> None:
    assert len(POINTS) == 8 * 12 + 4 * 6 + 2 * 3
    assert POINTS[0].tolist() == [4.0, 4.0]
    assert POINTS[1].tolist() == [12.0, 4.0]
    assert POINTS[-1].tolist() == [80.0, 48.0]
    assert STRIDES.unique().tolist() == [8, 16, 32]


def test_the_points_inside_a_thing_answer_for_it() -> None:
    target = _target([[0, 0, 32, 32], [60, 30, 90, 60]], [2, 0])
    found = assign(*_guess(target), POINTS, target)
    for at, box in enumerate(target.boxes):
        own = POINTS[found.thing == at]
        assert 1 <= len(own) <= 10
        assert ((own > box[:2]) & (own < box[2:])).all()
    rows = found.thing >= 0
    assert (found.scores[rows].amax(dim=1) > 0).any()
    assert found.scores[found.thing == 0][:, :2].sum() == 0
    assert found.scores[~rows].sum() == 0
    assert found.counts.all()


def test_the_best_box_is_wanted_most() -> None:
    target = _target([[8, 8, 56, 56]], [1])
    scores, boxes = _guess(target)
    inside = int(((POINTS - 32).abs().sum(dim=1)).argmin())
    boxes[inside] = target.boxes[0]
    found = assign(scores, boxes, POINTS, target)
    assert found.thing[inside] == 0
    assert found.scores[inside, 1] == found.scores.max() == 1


def test_a_thing_between_all_points_gets_the_nearest() -> None:
    target = _target([[5, 5, 7, 7]], [0])
    found = assign(*_guess(target), POINTS, target)
    assert POINTS[found.thing == 0].tolist() == [[4.0, 4.0]]


def test_of_two_things_around_a_point_one_takes_it() -> None:
    target = _target([[0, 0, 64, 64], [0, 0, 60, 64]], [0, 1])
    found = assign(*_guess(target), POINTS, target)
    assert set(found.thing.unique().tolist()) <= {-1, 0, 1}
    assert ((found.scores > 0).sum(dim=1) <= 1).all()


def test_what_is_unknown_is_held_against_nobody() -> None:
    target = _target(
        [[32, 0, 64, 32]], [1], ignore=torch.tensor([[0.0, 0, 40, 64]]), exhaustive=torch.tensor([True, False, True])
    )
    found = assign(*_guess(target), POINTS, target)
    in_zone = (POINTS[:, 0] <= 40) & (found.thing < 0)
    assert not found.counts[in_zone].any()
    assert found.counts[found.thing == 0, 1].all()
    elsewhere = (POINTS[:, 0] > 64) & (found.thing < 0)
    assert found.counts[elsewhere].tolist() == [[True, False, True]] * int(elsewhere.sum())


def test_an_empty_page_wants_nothing() -> None:
    target = _target([], [])
    found = assign(*_guess(target), POINTS, target)
    assert (found.thing == -1).all()
    assert found.scores.sum() == 0
    assert found.counts.all()
