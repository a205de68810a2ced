"""The pipeline: order, overlap, bounds, and pages that fail."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np
import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import DecodeError, FetchError
from limner.models.protocol import Options, Pixels
from limner.operations.pipeline import Ahead, PageOutcome, annotate_pages, ordered
from limner.sources.protocol import Picture, Want


@dataclass
class Gauge:
    """Counts how many are inside at once."""

    inside: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1


@dataclass
class Handle:
    """A page that takes its time."""

    index: int
    seconds: float = 0.0
    fetch_error: Exception | None = None
    decode_error: Exception | None = None
    gauge: Gauge = field(default_factory=Gauge)

    @property
    def page(self) -> Page:
        return Page(id=f"p{self.index}", name=f"{self.index}.jpg", index=self.index)

    async def fetch(self, want: Want) -> "Handle":
        self.want = want
        with self.gauge:
            await asyncio.sleep(self.seconds)
        if self.fetch_error:
            raise self.fetch_error
        return self

    def decode(self, want: Want) -> Picture:
        if self.decode_error:
            raise self.decode_error
        return Picture(np.full((20, 10, 3), self.index, np.uint8), 100, 200)


class Predictor:
    """Finds a box that tells which picture it was shown."""

    wanted_side = 20

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.gauge = seconds, Gauge()

    def predict(self, pixels: Pixels, size: tuple[int, int], options: Options) -> list[Annotation]:
        with self.gauge:
            time.sleep(self.seconds)
        shown = int(pixels[0, 0, 0])
        if shown == 99:
            raise RuntimeError("a fault in a library")
        return [Annotation(shape=Box(shown, 0, *size), label="thing"), Annotation(shape=Box(0, 0, 1, 1), label="dot")]

    def close(self) -> None: ...


async def _all(handles: list[Handle], predictor: Predictor | None = None, **ahead: int) -> list[PageOutcome]:
    pages = annotate_pages(handles, predictor or Predictor(), Options(), want=Want(20), ahead=Ahead(**ahead))
    return [outcome async for outcome in pages]


async def test_pages_keep_their_order_whatever_each_takes() -> None:
    seconds = [0.05, 0.0, 0.03, 0.0, 0.01, 0.0]
    outcomes = await _all([Handle(index, wait) for index, wait in enumerate(seconds)])
    assert [outcome.annotated.page.index for outcome in outcomes] == list(range(6))
    assert [outcome.annotated.annotations[0].shape.bounds.x for outcome in outcomes] == list(range(6))


async def test_a_page_learns_its_size_and_its_annotations_get_ids() -> None:
    (outcome,) = await _all([Handle(3)])
    assert (outcome.annotated.page.width, outcome.annotated.page.height) == (100, 200)
    assert [annotation.id for annotation in outcome.annotated.annotations] == ["p3-1", "p3-2"]
    assert set(outcome.seconds) == {"fetch", "decode", "infer"}


async def test_what_is_wanted_reaches_the_source() -> None:
    handle = Handle(0)
    await _all([handle])
    assert handle.want == Want(20)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Handle(1, fetch_error=FetchError("The server said 404.")), "The server said 404."),
        (Handle(1, decode_error=DecodeError("The image ends early.")), "The image ends early."),
        (Handle(1, fetch_error=ValueError("odd")), "Unexpected ValueError: odd"),
        (Handle(99), "Unexpected RuntimeError: a fault in a library"),
    ],
    ids=["fetch", "decode", "unforeseen", "model"],
)
async def test_a_bad_page_is_reported_in_its_place_and_the_rest_is_done(bad: Handle, reason: str) -> None:
    outcomes = await _all([Handle(0), bad, Handle(2)])
    assert [outcome.annotated.error for outcome in outcomes] == [None, reason, None]
    assert outcomes[1].annotated.page.id == bad.page.id
    assert outcomes[1].error is not None


async def test_stages_overlap_but_never_run_further_ahead_than_allowed() -> None:
    """With everything taking as long, a reader that waits sees fetching run ahead just so far."""
    gauge = Gauge()
    handles = [Handle(index, 0.02, gauge=gauge) for index in range(30)]
    predictor = Predictor(0.02)
    await _all(handles, predictor, fetch=5)
    assert 2 <= gauge.most <= 5
    assert predictor.gauge.most == 1


async def test_nothing_is_fetched_before_there_is_room() -> None:
    taken: list[int] = []

    def handles() -> Iterator[Handle]:
        for index in range(1000):
            taken.append(index)
            yield Handle(index)

    pages = annotate_pages(handles(), Predictor(), Options(), want=Want(), ahead=Ahead(fetch=4, decode=2, infer=1))
    async with aclosing(pages):
        async for _ in pages:
            await asyncio.sleep(0.1)
            break
    assert len(taken) <= 4 + 2 + 1 + 1  # in each stage, and the one we hold


async def test_closing_stops_what_is_under_way() -> None:
    handles = [Handle(0), *(Handle(index, 30.0) for index in range(1, 9))]
    pages = annotate_pages(handles, Predictor(), Options(), want=Want())
    start = time.monotonic()
    async with aclosing(pages):
        async for outcome in pages:
            assert outcome.annotated.page.index == 0
            break
    assert time.monotonic() - start < 20
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_an_error_in_the_list_of_items_comes_out_after_what_was_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise FetchError("the list broke off")

    async def work(item: int) -> int:
        return item

    seen: list[int] = []

    async def read() -> None:
        async for item in ordered(items(), work, 2):
            seen.append(item)  # noqa: PERF401 - what came before the error is what matters

    with pytest.raises(FetchError, match="broke off"):
        await read()
    assert seen == [1]
