"""A Label Studio on loopback: it holds images for those with its token, asks a backend, and takes predictions."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

#: Seconds that an answer may take. The real one waits 1 s for health, 3 s for set-up and 100 s for predictions; a
#: machine with much to do is not to fail for that, and what a test holds up is held up for longer than this.
PATIENCE = 30.0
TOKEN = "0123456789abcdef0123456789abcdef01234567"
RECTANGLES = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="bright"/><Label value="red"/></RectangleLabels></View>'
)


@dataclass
class LabelStudio:
    """The server and, with `health`, `setup`, `predict` and `webhook`, the client that it is to its backend."""

    backend: httpx.Client
    #: By path.
    images: dict[str, bytes] = field(default_factory=dict)
    #: Statuses of the answers to the next predictions that come; 201 when there are no more.
    statuses: list[int] = field(default_factory=list)
    #: What was put into its API: path, ``Authorization``, body.
    predictions: list[tuple[str, str, Any]] = field(default_factory=list)
    #: Path and ``Authorization`` of each image that was asked for.
    asked: list[tuple[str, str]] = field(default_factory=list)
    #: Where a path sends whoever asks for it.
    redirects: dict[str, str] = field(default_factory=dict)
    config: str = RECTANGLES

    #: What an export of a project holds.
    tasks: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def health(self) -> httpx.Response:
        return self.backend.get("/health", timeout=PATIENCE)

    def setup(self, project: str = "1.1700000000", **extra: Any) -> httpx.Response:
        body = {"project": project, "schema": self.config, "hostname": self.url, "access_token": TOKEN, **extra}
        return self.backend.post("/setup", json=body, timeout=PATIENCE)

    def predict(self, tasks: Sequence[Any], project: str = "1.1700000000", **extra: Any) -> httpx.Response:
        params = {"login": None, "password": None, "context": None}
        body = {"tasks": tasks, "project": project, "label_config": self.config, "params": params, **extra}
        return self.backend.post("/predict", json=body, timeout=PATIENCE)

    def results(self, *images: str, **extra: Any) -> list[dict[str, Any]]:
        """What is predicted for a task for each image."""
        tasks = [{"id": number, "data": {"image": image}} for number, image in enumerate(images, 1)]
        answer = self.predict(tasks, **extra)
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]


def _handler(studio: LabelStudio) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization", "")
            studio.asked.append((self.path, authorization))
            if self.path in studio.redirects:
                self._answer(302, b"", Location=studio.redirects[self.path])
            elif self.path.startswith("/data/") and authorization != f"Token {TOKEN}":
                self._answer(401, b"no token")
            elif self.path.startswith("/api/projects/"):
                known = self.path == "/api/projects/1/export?exportType=JSON" and authorization == f"Token {TOKEN}"
                self._answer(200 if known else 403, json.dumps(studio.tasks).encode())
            elif self.path in studio.images:
                self._answer(200, studio.images[self.path])
            else:
                self._answer(404, b"no such image")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = studio.statuses.pop(0) if studio.statuses else 201
            studio.predictions.append((self.path, self.headers.get("Authorization", ""), body))
            self._answer(status, b"{}")

        def _answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    return Handler
