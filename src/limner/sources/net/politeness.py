"""How hosts are treated: few requests at a time, pauses where they ask for them, patience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import SystemRandom

from limner.core.errors import FetchError

_RANDOM = SystemRandom()


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before trying again, seconds."""

    #: The wait after the first failure.
    first: float = 1.0
    #: Each wait is this many times the one before.
    factor: float = 2.0
    #: No wait is longer, unless the host asks for it.
    longest: float = 60.0
    #: Up to this part of the wait is added at random, so that many clients do not come back at once.
    jitter: float = 0.25
    #: A host that asks for more than this is given up.
    patience: float = 600.0

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures (at least one)."""
        # The exponent is bounded, as a large one would overflow.
        plain = min(self.longest, self.first * self.factor ** min(failures - 1, 64))
        return plain * (1 + self.jitter * _RANDOM.random())


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for (RFC 9110 §10.2.3); None if it says nothing that can be read."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), 1e9)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


@dataclass(slots=True, eq=False)
class _Host:
    """What is known of one host."""

    slots: asyncio.Semaphore
    #: Held by the full image whose turn is next, while it waits.
    next_full_image: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: When the next full image may start, and when requests may go on; readings of the clock.
    full_image_at: float = 0.0
    paused_until: float = 0.0
    users: int = 0


class Politeness:
    """Gives each request its turn; to be used from one event loop."""

    def __init__(
        self,
        concurrency: int,
        delays: Mapping[str, float],
        *,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._concurrency = concurrency
        self._delays = {host.lower(): delay for host, delay in delays.items()}
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str, *, full_image: bool) -> AsyncIterator[None]:
        """Wait until a request may start, and hold its place while it runs; raises `FetchError`."""
        state = self._state(host)
        state.users += 1
        try:
            delay = self._delays.get(host, 0.0) if full_image else 0.0
            await (self._start_spaced(host, state, delay) if delay else self._start(host, state))
            try:
                yield
            finally:
                state.slots.release()
        finally:
            state.users -= 1
            self._forget(host, state)

    def pause(self, host: str, seconds: float) -> None:
        """Send nothing to a host for a while."""
        state = self._state(host)
        state.paused_until = max(state.paused_until, self._clock() + seconds)

    def _state(self, host: str) -> _Host:
        if host not in self._hosts:
            self._hosts[host] = _Host(asyncio.Semaphore(self._concurrency))
        return self._hosts[host]

    def _forget(self, host: str, state: _Host) -> None:
        """Keep nothing of a host that nobody uses, or a list of many hosts would fill the memory."""
        if not state.users and self._clock() >= max(state.paused_until, state.full_image_at):
            del self._hosts[host]

    async def _start_spaced(self, host: str, state: _Host, delay: float) -> None:
        # No slot is held during this wait, so that descriptions pass.
        async with state.next_full_image:
            await self._sleep_until(lambda: state.full_image_at)
            await self._start(host, state)
            state.full_image_at = self._clock() + delay

    async def _start(self, host: str, state: _Host) -> None:
        await state.slots.acquire()
        try:
            self._check_patience(host, state)
            await self._sleep_until(lambda: state.paused_until)
        except BaseException:
            state.slots.release()
            raise

    def _check_patience(self, host: str, state: _Host) -> None:
        left = state.paused_until - self._clock()
        if left > self._patience:
            raise FetchError(f"{host} asked not to be sent anything for another {left:.0f} s (Retry-After).")

    async def _sleep_until(self, moment: Callable[[], float]) -> None:
        """Sleep until a moment that may be put off meanwhile."""
        while (left := moment() - self._clock()) > 0:
            await self._sleep(left)
