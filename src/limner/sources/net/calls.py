"""Single requests with an answer in memory, through the guard: to model servers, not for documents.

Redirects are not followed, nothing is cached, and hosts are not made to wait: whoever set the address up
wants it to be used.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from limner.core.errors import FetchError, TooLargeError
from limner.core.settings import Network

if TYPE_CHECKING:
    # These load httpx, which takes longer than all the rest of a start: only who asks a server pays for it.
    import httpx

    from limner.sources.net.transport import GuardedTransport

#: Largest answer, bytes.
_MOST: Final = 1_000_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    #: By names in lower case.
    headers: Mapping[str, str]
    body: bytes


class GuardedCalls:
    """Sends requests from any thread over connections that are kept; a thread of its own does the work."""

    def __init__(self, allowed: Sequence[Network], agent: str, *, setting: str, most: int = _MOST) -> None:
        self._allowed = tuple(allowed)
        self._setting = setting
        self._agent = agent
        self._most = most
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._transport: GuardedTransport | None = None
        self._thread: threading.Thread | None = None

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        """The answer, whatever its status; raises `AddressRefusedError`, `FetchError` or `TooLargeError`."""
        import httpx

        from limner.sources.net.guard import check_url

        address = check_url(url)
        request = httpx.Request(
            method,
            address,
            headers={"User-Agent": self._agent, **headers},
            content=body,
            extensions={"timeout": httpx.Timeout(seconds).as_dict()},
        )
        return self._run(self._send(request, seconds))

    def close(self) -> None:
        """Close all connections and end the thread."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _close(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="limner-calls", daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()

    async def _send(self, request: httpx.Request, seconds: float) -> Answer:
        from limner.sources.net.guard import Guard
        from limner.sources.net.transport import NETWORK_ERRORS, GuardedTransport

        host = request.url.host
        if self._transport is None:
            self._transport = GuardedTransport(Guard(self._allowed, setting=self._setting))
        try:
            async with asyncio.timeout(seconds):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await self._read(response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise FetchError(f"{host} did not answer within {seconds:g} s.") from error
        except NETWORK_ERRORS as error:
            raise FetchError(f"{host} cannot be reached: {str(error) or type(error).__name__}.") from error
        return Answer(response.status_code, dict(response.headers), body)

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        # As it comes: nothing was asked for that would be compressed.
        async for part in response.aiter_raw():
            body += part
            if len(body) > self._most:
                raise TooLargeError(f"The answer is larger than {self._most:,} bytes.")
        return bytes(body)
