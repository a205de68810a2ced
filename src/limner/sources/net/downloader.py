"""Downloads: one background event loop does all of them, whoever asks."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from limner.core.errors import FetchError
from limner.core.settings import Settings
from limner.sources.net.politeness import Backoff
from limner.sources.net.request import Download, Kind, shown

if TYPE_CHECKING:
    # These load httpx, which takes longer than all the rest of a start: only who fetches pays for it.
    from limner.sources.net.engine import Engine
    from limner.sources.net.guard import Resolver

__all__ = ["Download", "Downloader", "Kind"]


@dataclass(frozen=True, slots=True)
class _Running:
    """The thread's event loop and what lives in it."""

    loop: asyncio.AbstractEventLoop
    engine: Engine
    stop: asyncio.Event


class Downloader:
    """Fetches addresses into files, from any thread and event loop; a context manager.

    One thread with one event loop does all the work, so that hosts are treated politely by the
    process as a whole. It starts with the first download.
    """

    def __init__(self, settings: Settings, *, backoff: Backoff | None = None, resolve: Resolver | None = None) -> None:
        self._settings = settings
        self._backoff = backoff or Backoff()
        self._resolve = resolve
        self._lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._running: Future[_Running] = Future()
        # One who waits for the start and is cancelled must not cancel it for the others.
        self._running.set_running_or_notify_cancel()

    async def fetch(self, url: str, kind: Kind, *, fresh: bool = False, authorization: str = "") -> Download:
        """Download an address, from any event loop; ``fresh`` forgets what the cache had of it.

        ``authorization`` is the header of that name: it goes to the address's own origin and, after a redirect, to no
        other; what is fetched with it is not cached.

        Raises `AddressRefusedError`, `StatusError` (with the HTTP status), `BlockedByHostError`,
        `TooLargeError` or another `SourceError`, each after the retries that make sense.
        """
        self._start()
        running = await asyncio.wrap_future(self._running)
        with self._lock:
            self._check_open()
            arriving = asyncio.run_coroutine_threadsafe(
                running.engine.fetch(url, kind, fresh=fresh, authorization=authorization), running.loop
            )
        return await asyncio.wrap_future(arriving)

    async def fetch_json(self, url: str) -> object:
        """Download and parse a description; raises `FetchError` when it is no JSON."""
        download = await self.fetch(url, Kind.DESCRIPTION)
        try:
            return await asyncio.to_thread(_read_json, download.path)
        except (ValueError, RecursionError) as error:
            raise FetchError(f"{shown(url)} is no JSON that can be read: {error}.") from error

    def close(self) -> None:
        """Stop all downloads, each with a `FetchError`, and remove the files handed out."""
        with self._lock:
            first, self._closed = not self._closed, True
        if self._thread is None:
            return
        if first and self._running.exception() is None:
            running = self._running.result()
            running.loop.call_soon_threadsafe(running.stop.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        with self._lock:
            self._check_open()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="limner-downloader", daemon=True)
                self._thread.start()

    def _check_open(self) -> None:
        if self._closed:
            raise FetchError("The downloader is closed.")

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        try:
            engine = _make_engine(self._settings, self._backoff, self._resolve)
        except Exception as error:  # noqa: BLE001 - whatever it is, all who wait for the start must hear of it
            self._running.set_exception(error)
            return
        stop = asyncio.Event()
        self._running.set_result(_Running(asyncio.get_running_loop(), engine, stop))
        await stop.wait()
        await engine.close()


class FreshDownloader(Downloader):
    """A downloader that takes nothing from the cache, and otherwise works as the one that it is made from."""

    def __init__(self, downloader: Downloader) -> None:
        super().__init__(downloader._settings)  # noqa: SLF001 - our own class
        self._downloader = downloader

    async def fetch(self, url: str, kind: Kind, *, fresh: bool = True, authorization: str = "") -> Download:
        """Download an address anew."""
        return await self._downloader.fetch(url, kind, fresh=fresh, authorization=authorization)

    def close(self) -> None:
        """Nothing: it is the other that has to be closed."""


def _make_engine(settings: Settings, backoff: Backoff, resolve: Resolver | None) -> Engine:
    from limner.sources.net.engine import Engine
    from limner.sources.net.guard import system_resolver

    return Engine(settings, backoff, resolve or system_resolver)


def _read_json(path: Path) -> object:
    """Parse a file in UTF-8, UTF-16 or UTF-32, with or without a byte order mark."""
    parsed: object = json.loads(path.read_bytes())
    return parsed
