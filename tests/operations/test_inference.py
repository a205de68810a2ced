"""The threads for those who wait."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import TooManyRequestsError
from limner.operations.inference import InferenceThreads, threads_for

SECONDS = 10


async def test_work_is_done_in_a_thread() -> None:
    threads = InferenceThreads(2)
    assert await threads.run(threading.get_ident) != threading.get_ident()
    threads.close()


async def test_what_goes_wrong_is_raised() -> None:
    threads = InferenceThreads(1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 / 0)
    threads.close()


async def test_so_many_may_wait_and_no_more() -> None:
    threads, gate = InferenceThreads(2, most_waiting=1), threading.Event()
    busy = [asyncio.ensure_future(threads.run(lambda: gate.wait(SECONDS))) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert threads.waiting == 1
    with pytest.raises(TooManyRequestsError) as refused:
        await threads.run(lambda: None)
    assert refused.value.retry_after >= 1
    gate.set()
    assert await asyncio.gather(*busy) == [True] * 3
    assert await threads.run(lambda: 5) == 5
    threads.close()


async def test_a_place_is_free_again_when_nobody_waited_for_it() -> None:
    threads, gate = InferenceThreads(1, most_waiting=1), threading.Event()
    first = asyncio.ensure_future(threads.run(lambda: gate.wait(SECONDS)))
    second = asyncio.ensure_future(threads.run(lambda: "never begun"))
    await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.sleep(0.01)
    third = asyncio.ensure_future(threads.run(lambda: "third"))
    await asyncio.sleep(0.01)
    gate.set()
    assert await first
    assert await third == "third"
    threads.close()


@given(st.integers(1, 256), st.integers(0, 300))
def test_cores_are_kept_busy_and_not_crowded(cores: int, threads: int) -> None:
    size = threads_for(cores, threads)
    assert 2 <= size <= cores + 1
    if threads:
        assert (size - 2) * threads < cores
