"""The threads that decode and infer for whoever waits for an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from limner.core.errors import TooManyRequestsError

T = TypeVar("T")

#: Pages that may wait for a thread; the next is sent away, to come back later.
_MOST_WAITING = 256


class InferenceThreads:
    """A few threads, and an end to how much may wait for them."""

    def __init__(self, size: int, most_waiting: int = _MOST_WAITING) -> None:
        self.size = size
        self._most = size + most_waiting
        self._executor = ThreadPoolExecutor(size, "instant")
        self._lock = threading.Lock()
        self._taken = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do some work in a thread; raises `TooManyRequestsError` where too much waits already.

        Work that has begun is finished even where nobody waits for it any more.
        """
        with self._lock:
            if self._taken >= self._most:
                raise TooManyRequestsError("Too many pages wait for a model.", hint="Make a job: POST /v1/jobs.")
            self._taken += 1
        future = self._executor.submit(work)
        future.add_done_callback(self._free)
        return await asyncio.wrap_future(future)

    @property
    def waiting(self) -> int:
        """Pages that have no thread yet."""
        return max(0, self._taken - self.size)

    def close(self) -> None:
        """Let the threads end; what waits is dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _free(self, _: object) -> None:
        with self._lock:
            self._taken -= 1


def threads_for(cores: int, threads: int) -> int:
    """How many pages to work on at one time, on some cores, with a model that uses so many threads (0: all).

    One more than the models keep busy: while it decodes, the cores do not wait.
    """
    return max(1, cores // (threads or cores)) + 1
