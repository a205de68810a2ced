"""Hosts that cannot be reached: after some failures in a row they are left alone for a while.

Without this, each page of a host that is switched off would cost all its attempts and the waits between
them: hours for a book, while other jobs wait for the same model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import ceil
from typing import Final

from limner.core.errors import HostDownError

#: Downloads in a row, each with all its attempts, that made no connection before a host is taken to be down.
_MOST: Final = 3
#: Seconds until one more request is let through, to see whether it is back.
_PAUSE: Final = 60.0
#: Hosts to remember; the one that failed longest ago is forgotten first.
_REMEMBERED: Final = 1000


@dataclass(slots=True)
class _Failing:
    #: Downloads that were given up since the host was reached last.
    times: int = 0
    #: When a request may go there again, as a reading of the clock.
    again_at: float = 0.0


class Breaker:
    """Knows which hosts are down; to be used from one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing: dict[Hashable, _Failing] = {}

    def check(self, host: Hashable, name: str) -> None:
        """Raise `HostDownError` for one that is down; every while one request is let through to try it."""
        failing = self._failing.get(host)
        if failing is None or failing.times < _MOST:
            return
        left = failing.again_at - self._clock()
        if left > 0:
            raise HostDownError(
                f"{name} could not be reached {failing.times} times in a row, and is left alone for now.",
                hint=f"It is tried again in {ceil(left)} s.",
            )
        failing.again_at = self._clock() + _PAUSE

    def reached(self, host: Hashable) -> None:
        """It has answered, whatever it said."""
        self._failing.pop(host, None)

    def gave_up(self, host: Hashable) -> None:
        """No attempt of a download made a connection."""
        failing = self._failing.pop(host, None) or _Failing()
        failing.times += 1
        failing.again_at = self._clock() + _PAUSE
        self._failing[host] = failing
        if len(self._failing) > _REMEMBERED:
            del self._failing[next(iter(self._failing))]
