"""Predictions under way."""

from __future__ import annotations

import asyncio
import logging

import pytest

from limner.core.errors import SourceError
from limner.operations.foreign.labelstudio.later import _AT_ONCE, Later
from limner.operations.foreign.labelstudio.results import Prediction

FOUND = Prediction("m@1", 0.5, [])


class Work:
    """Predicts when it may."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.begun = 0
        self._error = error

    async def __call__(self) -> Prediction:
        self.begun += 1
        await self.go.wait()
        if self._error is not None:
            raise self._error
        return FOUND


class Sent:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.predictions: list[Prediction] = []
        self.came = asyncio.Event()

    async def __call__(self, prediction: Prediction) -> None:
        self.predictions.append(prediction)
        self.came.set()


async def test_what_is_asked_for_twice_is_done_and_sent_once() -> None:
    later, work, sent = Later(), Work(), Sent()
    flights = [later.start("a", "m", work) for _ in range(3)]
    for flight in flights:
        later.send("a", flight, sent)
    assert len(set(flights)) == 1
    work.go.set()
    await sent.came.wait()
    await asyncio.sleep(0)
    assert (work.begun, sent.predictions) == (1, [FOUND])


async def test_it_is_done_again_when_it_is_asked_for_later() -> None:
    later, work = Later(), Work()
    work.go.set()
    assert await later.start("a", "m", work) == await later.start("b", "m", work) == FOUND
    assert await later.start("a", "m", work) == FOUND
    assert work.begun == 3


async def test_only_a_few_of_one_model_are_worked_on_at_one_time() -> None:
    later, work = Later(), Work()
    flights = [later.start(number, "m", work) for number in range(_AT_ONCE + 3)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert work.begun == _AT_ONCE
    other = Work()
    other.go.set()
    assert await later.start("other", "another model", other) == FOUND
    work.go.set()
    assert await asyncio.gather(*flights) == [FOUND] * len(flights)


@pytest.mark.parametrize(
    ("error", "said"), [(SourceError("no such image"), "no such image"), (ValueError("odd"), "odd")]
)
async def test_one_that_fails_is_told_in_the_log(caplog: pytest.LogCaptureFixture, error: Exception, said: str) -> None:
    later, work, sent = Later(), Work(error), Sent()
    with caplog.at_level(logging.WARNING):
        flight = later.start("a", "m", work)
        later.send("a", flight, sent)
        work.go.set()
        await asyncio.wait([flight])
        for _ in range(5):
            await asyncio.sleep(0)
    assert said in caplog.text
    assert sent.predictions == []
