"""An event loop in the thread of a job, which stops the moment the job is told to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from limner.core.errors import CancelledError
from limner.jobs.protocol import Context

T = TypeVar("T")

_END: Final = object()
#: Seconds between two looks whether to go on waiting for a model.
_LOOK = 0.2


class JobLoop:
    """Runs coroutines for a handler, whose methods are plain functions; a context manager.

    Between two of them the loop stands still. When it is left, tasks are cancelled; threads, which
    cannot be, are not waited for.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[Any] | None = None
        context.on_cancel(self._interrupt)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine; raises `CancelledError` when it is time to stop."""
        if self._context.cancelled():
            work.close()
            raise CancelledError
        self._task = self._loop.create_task(work)
        try:
            result: T = self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            raise CancelledError from None
        finally:
            self._task = None
        return result

    def iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """What an asynchronous generator yields; it is closed at the end, however that comes."""
        try:
            while (item := self.run(_next(items))) is not _END:
                yield item  # type: ignore[misc]  # the sentinel has been told apart
        finally:
            self._loop.run_until_complete(items.aclose())

    def _interrupt(self) -> None:
        """Called from another thread."""
        with suppress(RuntimeError):  # the loop is closed: there is nothing left to stop
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run_until_complete(_end(asyncio.all_tasks(self._loop)))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _next(items: AsyncGenerator[T, None]) -> object:
    return await anext(items, _END)


@contextmanager
def held(use: Callable[[], AbstractContextManager[T]], context: Context) -> Iterator[T]:
    """What a context manager gives, entered and left in a thread of its own.

    Loading a model takes a while, and a job that is cancelled meanwhile must not wait for it.
    """
    ready: Future[T] = Future()
    done = threading.Event()
    threading.Thread(target=_hold, args=(use, ready, done), name="limner-model", daemon=True).start()
    try:
        while not _is_ready(ready):
            context.check()
        yield ready.result()
    finally:
        done.set()


def _is_ready(ready: Future[T]) -> bool:
    with suppress(TimeoutError):
        ready.exception(_LOOK)
    return ready.done()


def _hold(use: Callable[[], AbstractContextManager[T]], ready: Future[T], done: threading.Event) -> None:
    try:
        with use() as thing:
            ready.set_result(thing)
            done.wait()
    except BaseException as error:
        if ready.done():
            raise
        ready.set_exception(error)
