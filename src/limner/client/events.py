"""Following a job: server-sent events, and taking them up again where a connection broke off.

Nothing here waits or connects: the transports do, so that both follow the same rules.
"""

from __future__ import annotations

import json
import time

from limner.annotations.annotation import Json
from limner.client.answers import job_event
from limner.client.call import Call, Plain, nothing, path
from limner.client.errors import ApiError, ServerUnreachableError
from limner.client.values import JobEvent
from limner.core.errors import FormatError, LimnerError

#: Seconds without a word after which a connection is taken for dead; a server says something every 15.
SILENCE = 45.0
#: Seconds that a server may be away before following it is given up.
PATIENCE = 120.0
#: Statuses of a server that is restarting, or of the proxy before it.
_BUSY = frozenset({429, 502, 503, 504})


class EventReader:
    """Puts lines together into events, as the HTML standard says."""

    def __init__(self, last_id: str = "") -> None:
        #: The id of the last event that was complete, for ``Last-Event-ID``.
        self.last_id = last_id
        self.reset()

    def reset(self) -> None:
        """Forget an event that was broken off in its middle."""
        self._id, self._type = self.last_id, ""
        self._data: list[str] = []

    def feed(self, line: str) -> tuple[str, str] | None:
        """Take one line, without its end; the type and the data of the event that it completes."""
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._type = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
        return None

    def _dispatch(self) -> tuple[str, str] | None:
        found = (self._type or "message", "\n".join(self._data)) if self._data else None
        self.last_id = self._id
        self.reset()
        return found


class Following:
    """A job being followed, across as many connections as it takes.

    ``after`` is the id of the last event already known. ``timeout`` is the time to follow it for, in
    seconds; it is looked at whenever the server says something, which it does every 15 seconds.
    """

    def __init__(self, job_id: str, *, after: str | None = None, timeout: float | None = None) -> None:
        #: Whether the job had ended when it was last told of: the server then ends the stream.
        self.final = False
        self._job_id = job_id
        self._reader = EventReader(after or "")
        self._seen = after or ""
        self._until = None if timeout is None else time.monotonic() + timeout
        self._timeout = timeout
        self._pause = 0.0
        self._lost_at: float | None = None

    def call(self) -> Call[None]:
        """The request that takes the events up where they broke off."""
        self._reader.reset()
        headers = {"accept": "text/event-stream"}
        if self._reader.last_id:
            headers["last-event-id"] = self._reader.last_id
        # Not repeatable by the transport: when to try again is decided here.
        where = path("jobs", self._job_id, "events")
        return Call(method="GET", path=where, read=nothing, headers=headers, repeatable=False)

    @property
    def silence(self) -> float:
        """Seconds to wait for the next word of the server."""
        return SILENCE if self._until is None else max(0.05, min(SILENCE, self._until - time.monotonic()))

    def feed(self, line: str) -> JobEvent | None:
        """Take a line; the event that it completes. Raises `TimeoutError` when the time is over."""
        self._lost_at = None
        found = self._reader.feed(line)
        event = None if found is None else self._event(*found)
        if not self.final:
            self._check()
        return event

    def lost(self, error: LimnerError | None, server: str) -> float:
        """The connection broke off, or ended before the job did: seconds to wait before the next.

        Raises the error again where another connection would not help, `TimeoutError` when the time
        is over, and `ServerUnreachableError` when the server has been away for too long.
        """
        if error is not None and not _passing(error):
            raise error
        self._check()
        now = time.monotonic()
        self._lost_at = self._lost_at or now
        if now - self._lost_at > PATIENCE:
            raise ServerUnreachableError(f"The server at {server} has been away for {PATIENCE:g} s.") from error
        self._pause = min(max(self._pause * 2, 0.1), 5.0, self.silence)
        return self._pause

    def _event(self, kind: str, data: str) -> JobEvent | None:
        event = job_event(self._reader.last_id, kind, _object(data))
        if event.job is not None:
            self.final = event.job.final
        known, self._seen = event.id == self._seen, event.id
        if known and event.id:
            return None  # a new connection begins with the job as it is: with nothing new, that is no event
        self._pause = 0.0
        return event

    def _check(self) -> None:
        if self._until is not None and time.monotonic() >= self._until:
            raise TimeoutError(f"The job {self._job_id} has not ended after {self._timeout:g} s.")


def _passing(error: LimnerError) -> bool:
    """Whether this may be over in a while: no connection, or a server or proxy that says so."""
    if isinstance(error, ApiError):
        return error.status in _BUSY
    return isinstance(error, ServerUnreachableError)


def _object(data: str) -> Plain:
    try:
        value: Json = json.loads(data)
    except ValueError as error:
        raise FormatError("An event from the server is no JSON.") from error
    if not isinstance(value, dict):
        raise FormatError("An event from the server is no JSON object.")
    return value
