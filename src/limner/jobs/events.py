"""Following a job: its events come from the database, so that any process can tell them.

In the process that works on the job, those who follow it are woken at once; elsewhere they look
twice a second.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager

from limner.storage.jobs import FINAL, JobEvent, Jobs

#: Seconds between two looks where nobody wakes us.
_POLL = 0.5
#: Seconds to let more events come in: a job with quick pages changes more often than one need look.
_TOGETHER = 0.02


class Bus:
    """Wakes whoever follows a job, within this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakers: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)

    def publish(self, job_id: str) -> None:
        """Something of a job has changed."""
        with self._lock:
            wakers = [*self._wakers.get(job_id, ())]
        for wake in wakers:
            wake()

    @contextmanager
    def woken(self, job_id: str, wake: Callable[[], None]) -> Iterator[None]:
        """Call something, from any thread, whenever a job changes."""
        with self._lock:
            self._wakers[job_id].append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakers[job_id].remove(wake)
                if not self._wakers[job_id]:
                    del self._wakers[job_id]


async def follow(jobs: Jobs, bus: Bus, job_id: str, *, after: int = 0, poll: float = _POLL) -> AsyncIterator[JobEvent]:
    """The events of a job from number ``after`` on, past ones and then new ones, until it ends.

    Raises `NotFoundError` where there is no such job.
    """
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(changed.set)

    with bus.woken(job_id, wake):
        while True:
            changed.clear()
            found = await asyncio.to_thread(_look, jobs, job_id, after)
            for event in found:
                yield event
                after = event.seq
            if found and not _ended(found):
                continue
            if _ended(found) or (await asyncio.to_thread(jobs.get, job_id)).final:
                return
            await _first_of(changed, poll)
            await asyncio.sleep(_TOGETHER)


def _look(jobs: Jobs, job_id: str, after: int) -> Sequence[JobEvent]:
    return jobs.events(job_id, after=after)


def _ended(events: Sequence[JobEvent]) -> bool:
    return bool(events) and events[-1].data.get("status") in FINAL


async def _first_of(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return
