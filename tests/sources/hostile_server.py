"""A small web server on loopback that can misbehave in every way that real ones do."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Reply:
    """One answer. The plain one is honest; each option makes it worse."""

    body: bytes = b""
    status: int = 200
    #: Further headers; they replace those made here.
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "image/jpeg"
    #: What ``Content-Length`` says; None for the truth, -1 for no such header (the connection is closed at the end).
    length: int | None = None
    #: Close the connection after so many bytes of the body.
    cut: int | None = None
    #: Bytes in a portion and seconds between portions.
    drip: tuple[int, float] | None = None
    #: Seconds until the answer starts.
    latency: float = 0.0
    #: Honour ``Range`` and ``If-Range`` (with the ``ETag`` in the headers).
    ranges: bool = False


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    path: str
    #: Names in lower case.
    headers: Mapping[str, str]
    #: When it came, a reading of `time.monotonic`.
    at: float
    #: The client's port: the same for requests over the same connection.
    connection: int


Answer = Reply | Callable[[Seen], Reply]


class HostileServer:
    """Serves what it is told to; a context manager.

    ``serve(path, first, second, …)`` answers the requests for a path in turn, the last answer again
    and again; an answer may be a function of the request. The path is matched without its query.
    """

    def __init__(self, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> None:
        self._answers: dict[str, list[Answer]] = {}
        self._lock = threading.Condition()
        self._stopping = threading.Event()
        #: All requests so far, in order.
        self.requests: list[Seen] = []
        #: The most requests that were answered at one time.
        self.most_at_once = 0
        self._at_once = 0
        self._server = _Server((host, 0), _Handler)
        self._server.owner = self
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self.port}{path}"

    def serve(self, path: str, *answers: Answer) -> str:
        """Set the answers for a path and give its address."""
        with self._lock:
            self._answers[path] = list(answers)
        return self.url(path)

    def seen(self, path: str) -> list[Seen]:
        """The requests for a path."""
        return [request for request in self.requests if request.path == path]

    def wait_for(self, requests: int, seconds: float = 30.0) -> None:
        """Block until so many requests have come."""
        with self._lock:
            if not self._lock.wait_for(lambda: len(self.requests) >= requests, seconds):
                raise TimeoutError(f"{len(self.requests)} of {requests} requests came in {seconds} s")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def begin(self, request: Seen) -> Reply:
        with self._lock:
            self.requests.append(request)
            self._lock.notify_all()
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            answers = self._answers.get(request.path.partition("?")[0], [Reply(b"no such path", 404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, Reply) else answer(request)

    def end(self) -> None:
        with self._lock:
            self._at_once -= 1

    def sleep(self, seconds: float) -> bool:
        """Wait; whether to go on afterwards."""
        return not self._stopping.wait(seconds) if seconds else not self._stopping.is_set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    owner: HostileServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up on hostile servers; that is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.path, headers, time.monotonic(), self.client_address[1])
        reply = self.server.owner.begin(seen)
        try:
            if self.server.owner.sleep(reply.latency):
                self._answer(_part(reply, seen) if reply.ranges else reply)
        finally:
            self.server.owner.end()

    def _answer(self, reply: Reply) -> None:
        headers = {"Content-Type": reply.media_type}
        if reply.length != -1:
            headers["Content-Length"] = str(len(reply.body) if reply.length is None else reply.length)
        else:
            headers["Connection"] = "close"
        self.send_response(reply.status)
        for name, value in {**headers, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.status not in {204, 304}:
            self._send(reply)
        if reply.length is not None or reply.cut is not None:
            self.close_connection = True

    def _send(self, reply: Reply) -> None:
        body = reply.body if reply.cut is None else reply.body[: reply.cut]
        step, pause = reply.drip or (len(body) or 1, 0.0)
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            self.wfile.flush()
            if not self.server.owner.sleep(pause):
                return

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _part(reply: Reply, seen: Seen) -> Reply:
    """The part that was asked for, if it is still of the same file."""
    asked = seen.headers.get("range", "")
    tag = reply.headers.get("ETag")
    if not asked.startswith("bytes=") or seen.headers.get("if-range", tag) != tag:
        return reply
    start = int(asked.removeprefix("bytes=").partition("-")[0])
    whole = len(reply.body)
    if start >= whole:
        return Reply(status=416, headers={"Content-Range": f"bytes */{whole}"})
    headers = {**reply.headers, "Content-Range": f"bytes {start}-{whole - 1}/{whole}"}
    return Reply(reply.body[start:], 206, headers, reply.media_type, reply.length, reply.cut, reply.drip, ranges=False)
