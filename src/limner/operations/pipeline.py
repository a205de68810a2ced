"""The pipeline: fetch ∥ decode ∥ infer ∥ whatever the caller does with the pages.

Each stage works ahead of the next by a bounded number of pages, so that memory does not grow with
the document, and hands its pages on in their order. A page that fails carries its error along and
takes the place it would have had.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeVar

from limner.annotations.document import AnnotatedPage
from limner.core.errors import LimnerError
from limner.models.protocol import Options, Predictor
from limner.sources.protocol import Encoded, PageHandle, Picture, Want

A = TypeVar("A")
B = TypeVar("B")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ahead:
    """How many pages each stage may be ahead of the one after it."""

    #: Images being fetched or waiting to be decoded. Hosts are asked more slowly than this where
    #: the settings say so; it only has to be enough to keep the model busy through a slow patch.
    fetch: int = 16
    #: Images being decoded or waiting for the model: each is a whole picture in memory.
    decode: int = 3
    #: Pages at the model, or done and waiting for the writer.
    infer: int = 2


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """What came of one page."""

    annotated: AnnotatedPage
    #: The decoded image; None where the page failed before.
    picture: Picture | None
    #: Seconds spent on the page in each stage: ``fetch``, ``decode``, ``infer``.
    seconds: dict[str, float]
    #: What went wrong, if something did.
    error: Exception | None = None


@dataclass(slots=True)
class _Step:
    """A page on its way."""

    handle: PageHandle
    seconds: dict[str, float] = field(default_factory=dict)
    encoded: Encoded | None = None
    outcome: PageOutcome | None = None


async def ordered(
    items: AsyncIterator[A] | Iterable[A], work: Callable[[A], Awaitable[B]], ahead: int
) -> AsyncGenerator[B, None]:
    """The results of some work in the order of its items, at most ``ahead`` under way or waiting."""
    slots = asyncio.Semaphore(ahead)
    under_way: asyncio.Queue[asyncio.Task[B] | None] = asyncio.Queue()

    async def produce() -> None:
        try:
            async for item in _when_free(items, slots):
                under_way.put_nowait(asyncio.ensure_future(work(item)))
        finally:
            under_way.put_nowait(None)

    producer = asyncio.create_task(produce())
    try:
        while (task := await under_way.get()) is not None:
            result = await task
            slots.release()
            yield result
        await producer
    finally:
        await _stop([producer, *_drained(under_way)])


async def _when_free(items: AsyncIterator[A] | Iterable[A], slots: asyncio.Semaphore) -> AsyncGenerator[A, None]:
    """Each item, not taken before there is a slot for it."""
    await slots.acquire()
    if isinstance(items, AsyncIterator):
        async for item in items:
            yield item
            await slots.acquire()
    else:
        for item in items:
            yield item
            await slots.acquire()


def _drained(queue: asyncio.Queue[asyncio.Task[B] | None]) -> list[asyncio.Task[B]]:
    tasks = []
    while not queue.empty():
        task = queue.get_nowait()
        if task is not None:
            tasks.append(task)
    return tasks


async def _stop(tasks: list[asyncio.Task[B] | asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def annotate_pages(
    handles: Iterable[PageHandle],
    predictor: Predictor,
    options: Options,
    *,
    want: Want,
    ahead: Ahead | None = None,
) -> AsyncGenerator[PageOutcome, None]:
    """The pages with what the model finds on them, in order.

    Closing the iterator (or cancelling the task that reads it) stops fetching at once; what a thread
    is decoding or inferring just then is finished and thrown away.
    """
    ahead = ahead or Ahead()
    decoders, model = ThreadPoolExecutor(2, "decode"), ThreadPoolExecutor(1, "infer")

    async def fetch(handle: PageHandle) -> _Step:
        return await _fetch(handle, want)

    async def decode(step: _Step) -> _Step:
        return await _in_thread(decoders, lambda: _decode(step, want), step)

    async def infer(step: _Step) -> PageOutcome:
        done = await _in_thread(model, lambda: _infer(step, predictor, options), step)
        assert done.outcome is not None  # noqa: S101 - the last stage sets it, whatever happens
        return done.outcome

    try:
        async with (
            aclosing(ordered(handles, fetch, ahead.fetch)) as fetched,
            aclosing(ordered(fetched, decode, ahead.decode)) as decoded,
            aclosing(ordered(decoded, infer, ahead.infer)) as inferred,
        ):
            async for outcome in inferred:
                yield outcome
    finally:
        # Threads cannot be stopped; not waiting for them lets a cancel take effect at once.
        decoders.shutdown(wait=False, cancel_futures=True)
        model.shutdown(wait=False, cancel_futures=True)


async def _fetch(handle: PageHandle, want: Want) -> _Step:
    step, start = _Step(handle), time.perf_counter()
    try:
        step.encoded = await handle.fetch(want)
    except Exception as error:  # noqa: BLE001 - one bad page never fails a job
        return _failed(step, error)
    finally:
        step.seconds["fetch"] = time.perf_counter() - start
    return step


async def _in_thread(executor: Executor, work: Callable[[], _Step], step: _Step) -> _Step:
    """Run a stage in a thread, unless the page has failed already."""
    if step.outcome is not None and step.outcome.error is not None:
        return step
    return await asyncio.get_running_loop().run_in_executor(executor, work)


def _decode(step: _Step, want: Want) -> _Step:
    start = time.perf_counter()
    try:
        assert step.encoded is not None  # noqa: S101 - set by the stage before
        picture = step.encoded.decode(want)
    except Exception as error:  # noqa: BLE001
        return _failed(step, error)
    finally:
        step.encoded = None
        step.seconds["decode"] = time.perf_counter() - start
    page = replace(step.handle.page, width=picture.width, height=picture.height)
    step.outcome = PageOutcome(AnnotatedPage(page), picture, step.seconds)
    return step


def _infer(step: _Step, predictor: Predictor, options: Options) -> _Step:
    start = time.perf_counter()
    try:
        assert step.outcome is not None and step.outcome.picture is not None  # noqa: PT018, S101 - set by the stage before
        page, picture = step.outcome.annotated.page, step.outcome.picture
        found = predictor.predict(picture.pixels, (picture.width, picture.height), options)
    except Exception as error:  # noqa: BLE001
        return _failed(step, error)
    finally:
        step.seconds["infer"] = time.perf_counter() - start
    named = tuple(replace(annotation, id=f"{page.id}-{n}") for n, annotation in enumerate(found, 1))
    step.outcome = PageOutcome(AnnotatedPage(page, named), picture, step.seconds)
    return step


def _failed(step: _Step, error: Exception) -> _Step:
    page = step.outcome.annotated.page if step.outcome else step.handle.page
    if isinstance(error, LimnerError):
        reason = str(error)
    else:
        # A fault of ours or of a library: the page says which, the log says where.
        logger.error("Page %s failed unexpectedly", page.name, exc_info=error)
        reason = f"Unexpected {type(error).__name__}: {error}"
    step.outcome = PageOutcome(AnnotatedPage(page, error=reason), None, step.seconds, error)
    return step
