"""MLflow's REST API: servers that fail as servers do. A real one is in `tests/integration/test_tracking.py`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from limner.operations.tracking.rest import RestStore
from limner.operations.tracking.store import RefusedError, TrackingError
from tests.limner_process import free_port


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that gives everybody the same answer; its address, and the authorizations that it was shown."""
    shown = list[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", shown
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.mark.parametrize(
    ("status", "body", "refused", "said"),
    [
        (400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "too long"}', True, "400: too long"),
        (401, b"You are not authenticated", True, "401"),
        (404, b"<html>nothing here</html>", True, "404"),
        (200, b"<html>a login page</html>", False, "200"),
        (302, b"", False, "302"),
        (429, b"{}", False, "429"),
        (500, b'{"error_code": "INTERNAL_ERROR", "message": "database is locked"}', False, "database is locked"),
        (503, b"{}", False, "503"),
        (200, b" " * 3_000_000, True, "too long"),
    ],
)
def test_an_answer_that_is_none_is_an_error_that_says_whether_it_may_pass(
    status: int, body: bytes, refused: bool, said: str
) -> None:
    with answering(status, body) as (host, _), pytest.raises(TrackingError, match=said) as caught:
        RestStore(f"http://{host}").experiment("x")
    assert isinstance(caught.value, RefusedError) is refused


def test_user_and_password_of_the_address_are_shown_to_the_server_and_to_nobody_else() -> None:
    found = json.dumps({"experiment": {"experiment_id": "7", "lifecycle_stage": "active"}}).encode()
    with answering(200, found) as (host, shown):
        assert RestStore(f"http://ada:lovelace@{host}").experiment("x") == "7"
    assert shown == ["Basic YWRhOmxvdmVsYWNl"]
    with pytest.raises(TrackingError) as caught:
        RestStore(f"http://ada:lovelace@127.0.0.1:{free_port()}").experiment("x")
    assert "lovelace" not in str(caught.value)


def test_a_server_that_is_not_there_may_come_back() -> None:
    with pytest.raises(TrackingError, match="cannot be reached") as caught:
        RestStore(f"http://127.0.0.1:{free_port()}").experiment("x")
    assert not isinstance(caught.value, RefusedError)
