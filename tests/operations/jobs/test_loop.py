"""The loop that a job runs in: results, order, and stopping in the midst of anything."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import pytest

from limner.core.errors import CancelledError, ModelError
from limner.jobs.control import CancelToken
from limner.operations.jobs.loop import JobLoop, held


async def _numbers(log: list[str], *, seconds: float = 0.0) -> AsyncGenerator[int, None]:
    try:
        for number in range(3):
            await asyncio.sleep(seconds)
            yield number
    finally:
        log.append("closed")


def test_what_a_generator_yields_comes_in_order_and_it_is_closed() -> None:
    log: list[str] = []
    with JobLoop(CancelToken()) as loop:
        assert list(loop.iterate(_numbers(log))) == [0, 1, 2]
        assert log == ["closed"]
        assert loop.run(asyncio.sleep(0, "done")) == "done"


def test_a_generator_is_closed_where_its_reader_stops() -> None:
    log: list[str] = []
    with JobLoop(CancelToken()) as loop:
        numbers = loop.iterate(_numbers(log))
        assert next(numbers) == 0
        numbers.close()
        assert log == ["closed"]


def test_an_error_is_handed_on() -> None:
    async def fail() -> None:
        raise ModelError("It broke.")

    with JobLoop(CancelToken()) as loop, pytest.raises(ModelError, match="It broke"):
        loop.run(fail())


def test_a_cancel_interrupts_what_waits() -> None:
    log: list[str] = []
    token = CancelToken()
    threading.Timer(0.1, token.cancel).start()
    with JobLoop(token) as loop, pytest.raises(CancelledError):
        list(loop.iterate(_numbers(log, seconds=60)))
    assert log == ["closed"]


def test_nothing_is_begun_after_a_cancel() -> None:
    token, log = CancelToken(), list[str]()
    with JobLoop(token) as loop:
        numbers = loop.iterate(_numbers(log))
        assert next(numbers) == 0
        token.cancel()
        with pytest.raises(CancelledError):
            next(numbers)
        with pytest.raises(CancelledError):
            loop.run(asyncio.sleep(0))
    token.cancel()


def test_a_thread_is_not_waited_for() -> None:
    token, end = CancelToken(), threading.Event()
    threading.Timer(0.1, token.cancel).start()
    with JobLoop(token) as loop, pytest.raises(CancelledError):
        loop.run(asyncio.to_thread(end.wait, 30))
    assert not end.is_set()
    end.set()


def test_tasks_left_behind_are_cancelled() -> None:
    log: list[str] = []

    async def leave() -> None:
        asyncio.get_running_loop().create_task(_note(log))
        await asyncio.sleep(0)

    with JobLoop(CancelToken()) as loop:
        loop.run(leave())
    assert log == ["cancelled"]


async def _note(log: list[str]) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        log.append("cancelled")
        raise


@contextmanager
def _thing(log: list[str], ready: threading.Event | None = None, error: Exception | None = None) -> Iterator[str]:
    if ready is not None:
        ready.wait(120)
    if error:
        raise error
    log.append("begun")
    yield "thing"
    log.append("left")


def test_a_thing_is_held_as_long_as_it_is_needed() -> None:
    log: list[str] = []
    with held(lambda: _thing(log), CancelToken()) as thing:
        assert thing == "thing"
        assert log == ["begun"]
    _wait_for(log, ["begun", "left"])


def test_an_error_on_the_way_in_is_raised_here() -> None:
    with (
        pytest.raises(ModelError, match="no such"),
        held(lambda: _thing([], None, ModelError("no such")), CancelToken()),
    ):
        pass


def test_a_cancel_does_not_wait_for_the_way_in_and_the_thing_is_left_all_the_same() -> None:
    log, token, ready = list[str](), CancelToken(), threading.Event()
    threading.Timer(0.1, token.cancel).start()
    with pytest.raises(CancelledError), held(lambda: _thing(log, ready), token):
        pass
    assert log == []
    ready.set()
    _wait_for(log, ["begun", "left"])


def _wait_for(log: list[str], expected: list[str]) -> None:
    deadline = time.monotonic() + 60
    while log != expected:
        assert time.monotonic() < deadline, log
        time.sleep(0.01)
