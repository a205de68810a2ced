"""Predictions under way: each once, however often it is asked for; those that come too late are sent afterwards."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from functools import partial
from typing import Any

from limner.core.errors import LimnerError
from limner.operations.foreign.labelstudio.results import Prediction

logger = logging.getLogger(__name__)

Flight = asyncio.Task[Prediction]
#: Predictions of one model that are worked on at one time; the rest wait, and do not crowd out our own API's requests.
_AT_ONCE = 4


class Later:
    """The predictions that a server's event loop works on."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, Flight] = {}
        self._sending: dict[Hashable, asyncio.Task[None]] = {}
        self._rooms: defaultdict[Hashable, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))

    def start(self, key: Hashable, model: Hashable, work: Callable[[], Awaitable[Prediction]]) -> Flight:
        """The prediction of that key, by a model, which is begun unless it is under way."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._work(self._rooms[model], work))
            flight.add_done_callback(partial(self._landed, key))
        return flight

    def send(self, key: Hashable, flight: Flight, send: Callable[[Prediction], Coroutine[Any, Any, None]]) -> None:
        """Send a prediction when it is there, once for its key; one that fails is only spoken of in the log."""
        if key not in self._sending:
            task = self._sending[key] = asyncio.create_task(_send(flight, send))
            task.add_done_callback(lambda _: self._sending.pop(key, None))

    def _landed(self, key: Hashable, flight: Flight) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # whoever asked may be gone: then nobody else looks at it

    async def _work(self, room: asyncio.Semaphore, work: Callable[[], Awaitable[Prediction]]) -> Prediction:
        async with room:
            return await work()


async def _send(flight: Flight, send: Callable[[Prediction], Coroutine[Any, Any, None]]) -> None:
    try:
        await send(await asyncio.shield(flight))
    except LimnerError as error:
        logger.warning("A prediction that Label Studio waits for has failed: %s", error)
    except Exception:
        logger.exception("A prediction that Label Studio waits for has failed unexpectedly")
