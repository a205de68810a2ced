"""A small HTTP server that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from limner.annotations.annotation import Json


@dataclass(frozen=True)
class Reply:
    """One answer; ``broken`` closes the connection in the middle of the body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: bool = False


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def answering(value: Json, status: int = 200, **headers: str) -> Reply:
    """JSON."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"content-type": "application/json", **named})


def refusing(status: int, code: str, detail: str = "No.", **headers: str) -> Reply:
    """A problem."""
    return answering(
        {"type": f"urn:limner:problem:{code}", "title": "Refused", "status": status, "detail": detail},
        status,
        **{"content_type": "application/problem+json", "x_request_id": "r1", **headers},
    )


def telling(*events: str, broken: bool = False) -> Reply:
    """A stream of events."""
    return Reply(200, "".join(events).encode(), {"content-type": "text/event-stream"}, broken)


class ScriptedServer:
    """Answers each path with its replies in turn; the last one is given again and again."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._replies: dict[str, list[Reply]] = defaultdict(list)
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                outer.handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def on(self, path: str, *replies: Reply) -> None:
        """Say what to answer to requests for a path."""
        self._replies[path] += replies

    def asked_for(self, path: str) -> Sequence[Asked]:
        """The requests for a path, without their queries."""
        return [asked for asked in self.asked if asked.path.partition("?")[0] == path]

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("content-length", 0))
        body = request.rfile.read(length)
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._lock:
            self.asked.append(Asked(request.command, request.path, headers, body))
            replies = self._replies[request.path.partition("?")[0]]
            reply = (replies.pop(0) if len(replies) > 1 else replies[0]) if replies else Reply(404)
        request.send_response(reply.status)
        for name, value in reply.headers.items():
            request.send_header(name, value)
        request.send_header("content-length", str(len(reply.body) + (1 if reply.broken else 0)))
        request.end_headers()
        request.wfile.write(reply.body)
        request.close_connection = reply.broken

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
