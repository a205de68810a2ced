"""When a request is tried again, and after how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx

from limner.client.call import Call
from limner.client.errors import ServerUnreachableError, retry_after

#: Statuses that say: not now.
_LATER = frozenset({429, 503})
#: Longest time to wait before one more attempt, seconds.
_LONGEST = 30.0


class Attempts:
    """The attempts of one call: what it may be repeated for, and how long to wait.

    Only a call that may be repeated is: when no connection is made or it breaks off, and when the
    server says that it is busy. A server that does not answer in time is not asked again: it may
    still be at work.
    """

    def __init__(self, call: Call[Any], most: int) -> None:
        self._left = most if call.repeatable else 0
        self._pause = 0.25
        self._lost = False

    def after_error(self, error: httpx.TransportError, server: str) -> float:
        """Seconds to wait after a failure on the way; raises `ServerUnreachableError` when it was the last."""
        if self._left <= 0 or isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout)):
            raise unreachable(error, server) from error
        self._lost = True
        return self._next()

    def after(self, status: int, headers: Mapping[str, str]) -> float | None:
        """Seconds to wait after an answer; None where it stands."""
        # A server that still works on the attempt whose connection broke off says so with a conflict.
        busy = status in _LATER or (status == HTTPStatus.CONFLICT and self._lost)
        if not busy or self._left <= 0:
            return None
        asked = retry_after(headers)
        pause = self._next()
        return pause if asked is None else min(float(asked), _LONGEST)

    def _next(self) -> float:
        self._left -= 1
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST)
        return pause


@contextmanager
def reading(server: str) -> Iterator[None]:
    """Turns a connection that breaks off while an answer is read into an error of ours."""
    try:
        yield
    except httpx.TransportError as error:
        raise unreachable(error, server) from error


def unreachable(error: httpx.TransportError, server: str) -> ServerUnreachableError:
    """A failure on the way, as an error of ours."""
    if isinstance(error, httpx.TimeoutException):
        return ServerUnreachableError(f"The server at {server} did not answer in time.")
    if isinstance(error, httpx.ConnectError):
        return ServerUnreachableError(
            f"There is no server to be reached at {server}: {_reason(error)}.", hint="Is it running?"
        )
    return ServerUnreachableError(f"The connection to {server} broke off: {_reason(error)}.")


def _reason(error: httpx.TransportError) -> str:
    return str(error).rstrip(".") or type(error).__name__
