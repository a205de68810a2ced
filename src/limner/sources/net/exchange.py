"""One attempt at one address: redirects, statuses, the body."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx

from limner.core.errors import FetchError, StatusError
from limner.core.settings import Settings
from limner.sources.net.body import Partial, begin, media_type, receive
from limner.sources.net.breaker import Breaker
from limner.sources.net.cache import Entry
from limner.sources.net.guard import check_url, host_key, origin
from limner.sources.net.politeness import Politeness, retry_after
from limner.sources.net.request import Kind, TransientError, shown
from limner.sources.net.sniff import page_title
from limner.sources.net.transport import NETWORK_ERRORS, UNREACHED, GuardedTransport

_log = logging.getLogger(__name__)

MAX_REDIRECTS: Final = 5
#: Statuses that may pass.
_TRANSIENT: Final = {429, 500, 502, 503, 504}
#: How much is read of the page that comes with an error or redirect, bytes and seconds.
_PAGE_BYTES: Final = 1 << 16
_PAGE_SECONDS: Final = 5.0

_IMAGES = b"image/jpeg, image/png;q=0.9, image/webp;q=0.9, image/tiff;q=0.8, image/*;q=0.7, */*;q=0.1"
_ACCEPT: Final = {
    Kind.FULL_IMAGE: _IMAGES,
    Kind.IMAGE: _IMAGES,
    Kind.DESCRIPTION: b"application/ld+json, application/json;q=0.9, */*;q=0.1",
    Kind.FILE: b"*/*",
}


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be fetched, and what there is of it."""

    url: str
    kind: Kind
    partial: Partial
    #: What the cache has and the server is asked about.
    known: Entry | None = None
    #: The header ``Authorization``, for the address's own origin alone; empty for none.
    authorization: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came: a new file in the job's partial, or the word that the known one is still right."""

    entry: Entry
    unchanged: bool = False
    #: Whether it may be kept in the cache.
    keep: bool = True


class Exchange:
    """Asks servers, one attempt at a time; `TransientError` says that another attempt may help."""

    def __init__(
        self,
        settings: Settings,
        transport: GuardedTransport,
        politeness: Politeness,
        breaker: Breaker,
        *,
        patience: float,
    ) -> None:
        self._agent = settings.user_agent.encode()
        self._timeout = settings.fetch_timeout
        self._transport = transport
        self._politeness = politeness
        self._breaker = breaker
        self._patience = patience

    async def attempt(self, job: Job) -> Arrival:
        """Ask once and follow redirects; raises `SourceError` or `TransientError`."""
        target, previous = check_url(job.url), ""
        for _ in range(MAX_REDIRECTS + 1):
            host = host_key(target)
            # A redirect within a host does not start another image.
            spaced = job.kind is Kind.FULL_IMAGE and host != previous
            async with self._politeness.turn(host, full_image=spaced):
                outcome = await self._ask(job, target)
            if isinstance(outcome, Arrival):
                return outcome
            target, previous = outcome, host
        raise FetchError(f"{shown(job.url)} redirects more than {MAX_REDIRECTS} times.")

    async def _ask(self, job: Job, target: httpx.URL) -> Arrival | httpx.URL:
        started, host = time.monotonic(), origin(target)
        self._breaker.check(host, target.host)
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._transport.get(target, self._headers(job, target), self._timeout) as response,
            ):
                self._breaker.reached(host)
                outcome = await _redirect(target, response) or await self._answer(job, response)
        except TimeoutError as error:
            raise TransientError(f"no complete answer within {self._timeout:g} s") from error
        except NETWORK_ERRORS as error:
            raise _network_error(target, error) from error
        _log.info("GET %s: %d in %.2f s", shown(str(target)), response.status_code, time.monotonic() - started)
        return outcome

    def _headers(self, job: Job, target: httpx.URL) -> dict[bytes, bytes]:
        headers = {b"User-Agent": self._agent, b"Accept": _ACCEPT[job.kind]}
        if job.authorization and origin(target) == origin(check_url(job.url)):
            headers[b"Authorization"] = job.authorization.encode()
        # Images do not shrink, and the parts of a packed file cannot be put together.
        headers[b"Accept-Encoding"] = b"gzip" if job.kind is Kind.DESCRIPTION else b"identity"
        if job.partial.resumable:
            headers[b"Range"] = b"bytes=%d-" % job.partial.size
            headers[b"If-Range"] = job.partial.validator.encode()
        elif job.known:
            headers[b"If-None-Match"] = job.known.etag.encode()
            headers[b"If-Modified-Since"] = job.known.last_modified.encode()
        return {name: value for name, value in headers.items() if value}

    async def _answer(self, job: Job, response: httpx.Response) -> Arrival:
        status = response.status_code
        if status == 304 and job.known:
            return Arrival(job.known, unchanged=True)
        if status == 416 and job.partial.resumable:
            job.partial.restart()
            raise TransientError("the server no longer has the file that broke off")
        if status in _TRANSIENT:
            raise self._busy(response)
        if status != 200 and not (status == 206 and job.partial.resumable):
            raise StatusError(_status_message(response, await _short_body(response)), status=status)
        begin(response, job.partial)
        await receive(response, job.kind, job.partial)
        return _arrival(job, response)

    def _busy(self, response: httpx.Response) -> Exception:
        status, wait = response.status_code, retry_after(response.headers.get("retry-after"))
        host = host_key(response.url)
        if wait is not None and wait > self._patience:
            self._politeness.pause(host, wait)
            asked = f"It asks to wait {wait:.0f} s (Retry-After); {self._patience:.0f} s are the most we do."
            return StatusError(f"{_status_message(response)} {asked}", status=status)
        pause = host if wait is not None or status == 429 else ""
        return TransientError(f"the answer was {_phrase(status)}", status=status, pause=pause, wait=wait or 0.0)


async def _redirect(target: httpx.URL, response: httpx.Response) -> httpx.URL | None:
    """Where the answer sends us, checked; None if it is no redirect."""
    if not response.has_redirect_location:
        return None
    try:
        following = target.join(response.headers["location"])
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError(f"{shown(str(target))} redirects to an address that cannot be read.") from error
    if target.scheme == "https" and following.scheme == "http":
        _log.info("%s redirects from https to http", shown(str(target)))
    await _short_body(response)
    return check_url(str(following))


def _arrival(job: Job, response: httpx.Response) -> Arrival:
    headers, partial = response.headers, job.partial
    entry = Entry(
        sha256=partial.sha256,
        size=partial.size,
        url=str(response.url),
        media_type=media_type(response),
        etag=headers.get("etag", ""),
        last_modified=headers.get("last-modified", ""),
    )
    directives = {part.strip().lower() for part in headers.get("cache-control", "").split(",")}
    return Arrival(entry, keep="no-store" not in directives)


async def _short_body(response: httpx.Response) -> bytes:
    """The page that comes with an error or redirect: for its title, and so that the connection can be used again."""
    page = b""
    with suppress(TimeoutError, *NETWORK_ERRORS):  # the page is a bonus, the status is what counts
        async with asyncio.timeout(_PAGE_SECONDS):
            async for chunk in response.aiter_raw():
                page += chunk
                if len(page) > _PAGE_BYTES:
                    break
    return page


def _status_message(response: httpx.Response, page: bytes = b"") -> str:
    title = page_title(page)
    said = f" (“{title}”)" if title else ""
    return f"{response.url.host} answered {_phrase(response.status_code)}{said} to {shown(str(response.url))}."


def _phrase(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)


def _network_error(target: httpx.URL, error: Exception) -> Exception:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return FetchError(f"The certificate of {target.host} cannot be trusted: {cause.verify_message}.")
        cause = cause.__cause__
    unreached = origin(target) if isinstance(error, UNREACHED) else None
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return TransientError(said, unreached=unreached)
