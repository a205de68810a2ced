import pytest
import torch
from torch import nn

from limner.training.fitting.averaging import MovingAverage


def _set(layer: nn.Linear, value: float) -> None:
    with torch.no_grad():
        layer.weight.fill_(value)


def test_it_follows_slowly_and_faster_while_young() -> None:
    layer = nn.Linear(1, 1)
    _set(layer, 0.0)
    average = MovingAverage(layer, 0.5)
    _set(layer, 1.0)
    average.update(layer)
    assert average.state()["weight"].item() == pytest.approx(1 - 2 / 11)
    for _ in range(20):
        average.update(layer)
    _set(layer, 0.0)
    before = average.state()["weight"].item()
    average.update(layer)
    assert average.state()["weight"].item() == pytest.approx(before / 2)


def test_it_goes_on_from_what_was_saved() -> None:
    layer = nn.BatchNorm1d(1)
    average, other = MovingAverage(layer, 0.9), MovingAverage(layer, 0.9)
    with torch.no_grad():
        layer.weight.fill_(3.0)
        layer.num_batches_tracked.fill_(7)
    average.update(layer)
    other.restore({"steps": 1, "state": {name: each.clone() for name, each in average.state().items()}})
    average.update(layer)
    other.update(layer)
    assert all(torch.equal(average.state()[name], other.state()[name]) for name in average.state())
    assert average.state()["num_batches_tracked"] == 7
    assert average.saved()["steps"] == 2


def test_without_decay_it_is_the_weights() -> None:
    layer = nn.Linear(1, 1)
    average = MovingAverage(layer, 0.0)
    _set(layer, 5.0)
    average.update(layer)
    assert average.state()["weight"].item() == 5.0
