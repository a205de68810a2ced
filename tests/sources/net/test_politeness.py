from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import FetchError
from limner.sources.net.politeness import Backoff, Politeness, retry_after

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still unless somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        for _ in range(20):  # whoever need not sleep goes first
            await asyncio.sleep(0)
        self.now = max(self.now, until)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def polite(clock: Clock, concurrency: int = 1, **delays: float) -> Politeness:
    return Politeness(concurrency, delays, patience=600, clock=clock, sleep=clock.sleep)


async def starts(politeness: Politeness, clock: Clock, *turns: tuple[str, bool]) -> list[float]:
    """When each of some requests, all made at once, may start; seconds from now."""
    begin, out = clock(), [0.0] * len(turns)

    async def request(index: int, host: str, full_image: bool) -> None:
        async with politeness.turn(host, full_image=full_image):
            out[index] = clock() - begin
            await asyncio.sleep(0)

    await asyncio.gather(*(request(index, *turn) for index, turn in enumerate(turns)))
    return out


async def test_no_more_requests_at_one_time_than_allowed():
    politeness, running, most = Politeness(3, {}, patience=600), 0, 0

    async def request() -> None:
        nonlocal running, most
        async with politeness.turn("host", full_image=False):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    await asyncio.gather(*(request() for _ in range(12)))
    assert most == 3


async def test_one_host_does_not_wait_for_another():
    politeness = Politeness(1, {}, patience=600)
    slow, quick = (politeness.turn(host, full_image=False) for host in ("slow", "quick"))
    async with slow, asyncio.timeout(5), quick:
        pass


async def test_full_images_keep_their_distance(clock):
    politeness = polite(clock, 4, gallica=12.0)
    assert await starts(politeness, clock, *[("gallica", True)] * 3) == [0, 12, 24]


async def test_other_requests_pass_a_full_image_that_waits(clock):
    politeness = polite(clock, 1, gallica=12.0)
    times = await starts(politeness, clock, ("gallica", True), ("gallica", True), ("gallica", False))
    assert times == [0, 12, 0]


async def test_the_distance_is_kept_after_a_break(clock):
    politeness = polite(clock, 1, gallica=12.0)
    await starts(politeness, clock, ("gallica", True))
    clock.now += 5
    assert await starts(politeness, clock, ("gallica", True)) == [7]


async def test_a_paused_host_gets_nothing(clock):
    politeness = polite(clock, 2)
    politeness.pause("host", 30)
    politeness.pause("host", 10)
    assert await starts(politeness, clock, ("host", False), ("host", True), ("other", False)) == [30, 30, 0]


async def test_a_pause_that_comes_while_one_waits_is_kept(clock):
    politeness = polite(clock, 1)
    politeness.pause("host", 10)
    waiting = asyncio.create_task(starts(politeness, clock, ("host", False)))
    await asyncio.sleep(0)
    politeness.pause("host", 50)
    assert await waiting == [50]


async def test_a_host_that_wants_too_long_a_pause_is_given_up(clock):
    politeness = polite(clock)
    politeness.pause("host", 3600)
    with pytest.raises(FetchError, match=r"host asked .* 3600 s"):
        await starts(politeness, clock, ("host", False))
    clock.now += 3600
    assert await starts(politeness, clock, ("host", False)) == [0]


async def test_a_request_that_is_cancelled_gives_its_place_back():
    politeness = Politeness(1, {"host": 100.0}, patience=600)
    politeness.pause("host", 100)
    tasks = [asyncio.create_task(politeness.turn("host", full_image=full).__aenter__()) for full in (True, False)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    politeness._hosts["host"].paused_until = 0.0
    async with asyncio.timeout(5), politeness.turn("host", full_image=True):
        pass


async def test_nothing_is_kept_of_hosts_that_are_done(clock):
    politeness = polite(clock, delayed=5.0)
    await starts(politeness, clock, *[(f"host{index}", False) for index in range(50)], ("delayed", True))
    assert list(politeness._hosts) == ["delayed"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("Fri May  1 12:00:05 2026", 5),
        (None, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1.5", None),
        ("²", None),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after(value, NOW) == seconds


@given(st.text(max_size=40) | st.integers().map(str))
def test_no_retry_after_breaks_the_reader(value):
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= 1e12


@given(st.integers(1, 10_000), st.floats(0.01, 10), st.floats(0, 1))
def test_backoff_grows_to_its_bound(failures, first, jitter):
    backoff = Backoff(first=first, longest=30, jitter=jitter)
    plain = Backoff(first=first, longest=30, jitter=0)
    assert plain.wait(failures) <= backoff.wait(failures) <= plain.wait(failures) * (1 + jitter)
    assert plain.wait(failures) <= plain.wait(failures + 1) <= 30
    assert plain.wait(1) == first
