"""Downloads inside their event loop: cache, sharing and retries."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from limner.core.errors import FetchError, StatusError
from limner.core.settings import Settings
from limner.sources.net.body import DESCRIPTION_BYTES, Partial
from limner.sources.net.breaker import Breaker
from limner.sources.net.cache import Cache, Entry
from limner.sources.net.exchange import Arrival, Exchange, Job
from limner.sources.net.guard import Guard, Resolver, check_url
from limner.sources.net.politeness import Backoff, Politeness
from limner.sources.net.request import Download, Kind, TransientError, shown
from limner.sources.net.scratch import Scratch
from limner.sources.net.transport import GuardedTransport

_log = logging.getLogger(__name__)

#: Address, kind and authorization.
_Key = tuple[str, Kind, str]


@dataclass(slots=True, eq=False)
class _Flight:
    task: asyncio.Task[Download]
    waiting: int = 0


class Flights:
    """Lets those who ask for the same thing at the same time share one piece of work."""

    def __init__(self) -> None:
        self._flights: dict[_Key, _Flight] = {}

    async def join(self, key: _Key, start: Callable[[], Coroutine[None, None, Download]]) -> Download:
        """Wait for the work under this key, starting it if need be; it is cancelled when nobody waits any more."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(start()))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if self._flights.get(key) is flight and (flight.task.done() or not flight.waiting):
                del self._flights[key]
            if not flight.waiting:
                flight.task.cancel()

    async def close(self) -> None:
        """Cancel all work; those who wait for it see a `CancelledError`."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Engine:
    """Everything that lives in the downloader's event loop; make, use and close it there."""

    def __init__(self, settings: Settings, backoff: Backoff, resolve: Resolver) -> None:
        self._settings = settings
        self._backoff = backoff
        kept = settings.cache_bytes > 0
        self._scratch = Scratch(settings.cache_dir / "handed-out" if kept else None)
        self._cache = _open_cache(settings) if kept else None
        self._transport = GuardedTransport(Guard(settings.source_networks, resolve))
        self._politeness = Politeness(settings.host_concurrency, settings.host_delays, patience=backoff.patience)
        self._breaker = Breaker()
        self._exchange = Exchange(settings, self._transport, self._politeness, self._breaker, patience=backoff.patience)
        self._flights = Flights()
        self._closing = False

    async def fetch(self, url: str, kind: Kind, *, fresh: bool = False, authorization: str = "") -> Download:
        """Download an address, together with all who ask for it now; raises `SourceError`."""
        try:
            target = str(check_url(url).copy_with(fragment=None))
            if fresh and self._cache is not None:
                self._cache.forget(target)
            key = (target, kind, authorization)
            return await self._flights.join(key, lambda: self._fetch(*key))
        except asyncio.CancelledError:
            if self._closing:
                raise FetchError(f"The downloader was closed before {shown(url)} had arrived.") from None
            raise

    async def close(self) -> None:
        """Stop all downloads, each with a `FetchError`, and release everything."""
        self._closing = True
        await self._flights.close()
        await self._transport.aclose()
        if self._cache is not None:
            self._cache.close()
        self._scratch.close()

    async def _fetch(self, url: str, kind: Kind, authorization: str) -> Download:
        # What one client may see is not for the next.
        known = self._cache.find(url) if self._cache is not None and not authorization else None
        if known is not None and kind.is_image and (download := self._from_cache(known)):
            _log.debug("%s comes from the cache", shown(url))
            return download
        limit = self._settings.fetch_max_bytes
        partial = Partial(self._scratch.new(), min(limit, DESCRIPTION_BYTES) if kind is Kind.DESCRIPTION else limit)
        try:
            asked = known if known and _can_be_asked(known) else None
            return await self._download(Job(url, kind, partial, asked, authorization))
        except BaseException:
            partial.restart()
            raise

    async def _download(self, job: Job) -> Download:
        arrival = await self._persist(job)
        if arrival.unchanged:
            if download := self._from_cache(arrival.entry):
                return download
            # Another process has evicted it since we asked.
            arrival = await self._persist(Job(job.url, job.kind, job.partial))
        self._store(job, arrival)
        return self._hand_out(job.partial, arrival.entry)

    async def _persist(self, job: Job) -> Arrival:
        """Attempt it as often as the settings say; raises `SourceError`."""
        tries = self._settings.fetch_retries + 1
        for count in range(1, tries + 1):
            try:
                return await self._exchange.attempt(job)
            except TransientError as error:
                last = error
            wait = max(self._backoff.wait(count), last.wait)
            if last.pause:
                self._politeness.pause(last.pause, wait)
            if count < tries:
                _log.info("%s: %s; trying again in %.1f s", shown(job.url), last.reason, wait)
                await asyncio.sleep(0 if last.pause else wait)
            if not _can_go_on(job):
                job.partial.restart()
        if last.unreached is not None:
            self._breaker.gave_up(last.unreached)
        raise _given_up(job, last, tries)

    def _from_cache(self, entry: Entry) -> Download | None:
        path = self._scratch.new()
        if self._cache is None or not self._cache.take(entry, path):
            return None
        return self._scratch.keep(Download(path, entry.url, entry.media_type, entry.size, from_cache=True))

    def _store(self, job: Job, arrival: Arrival) -> None:
        if self._cache is None or job.authorization:
            return
        if arrival.keep:
            self._cache.put(job.url, job.partial.path, arrival.entry)
        elif job.known is not None:
            self._cache.forget(job.url)

    def _hand_out(self, partial: Partial, entry: Entry) -> Download:
        if not entry.size:
            partial.path.touch()
        return self._scratch.keep(Download(partial.path, entry.url, entry.media_type, entry.size, from_cache=False))


def _open_cache(settings: Settings) -> Cache | None:
    try:
        return Cache(settings.cache_dir, settings.cache_bytes, settings.source_networks)
    except (sqlite3.Error, OSError) as error:
        _log.warning("The cache in %s cannot be opened, so nothing is kept: %s", settings.cache_dir, error)
        return None


def _can_be_asked(entry: Entry) -> bool:
    """Whether a server can be asked if this is still right."""
    return bool(entry.etag or entry.last_modified)


def _can_go_on(job: Job) -> bool:
    """Whether a broken download may be resumed; smaller images are often made anew for each request."""
    return job.kind in {Kind.FULL_IMAGE, Kind.FILE} and job.partial.resumable


def _given_up(job: Job, last: TransientError, tries: int) -> FetchError:
    reason = f"{shown(job.url)}: {last.reason.rstrip('.')}; given up after {tries} {'try' if tries == 1 else 'tries'}."
    return StatusError(reason, status=last.status) if last.status else FetchError(reason)
