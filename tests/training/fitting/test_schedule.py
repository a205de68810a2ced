import pytest

from limner.training.fitting.schedule import Length, learning_rate, length_of
from tests.training.fitting.squares import config


def test_a_run_is_as_long_as_was_said() -> None:
    assert length_of(config(epochs=3), 5) == Length(15, None)
    assert length_of(config(epochs=None, minutes=2), 5) == Length(None, 120.0)
    assert length_of(config(epochs=None), 5) == Length(100, None)
    assert Length(10, 60.0).progress(2, 30.0) == 0.5
    assert Length(10, None).progress(20, 0.0) == 1.0


def test_the_rate_rises_and_falls() -> None:
    asked = config(learning_rate=0.1, warmup=0.1)
    rates = [learning_rate(asked, at / 100) for at in range(101)]
    assert max(rates) == pytest.approx(0.1)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[0] < 0.01
    assert rates[-1] == pytest.approx(0.001)
    assert learning_rate(config(schedule="constant", learning_rate=0.1), 0.9) == 0.1
