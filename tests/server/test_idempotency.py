"""A request that is sent twice is carried out once: also when both are there at the same time, or one failed."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import Response
from fastapi.responses import JSONResponse
from starlette.testclient import TestClient

from limner.core.errors import ConflictError, SourceError
from limner.server.auth import Caller
from limner.server.idempotency import fingerprint, once
from limner.server.state import AppState


@pytest.fixture
def state(client: TestClient) -> AppState:
    return client.app.state.limner


@pytest.fixture
def caller(state: AppState) -> Caller:
    return Caller(state.home, None, "test", frozenset({"admin"}))


def _made(log: list[str]) -> Response:
    log.append("made")
    return JSONResponse({"n": len(log)}, 201, {"Location": "/v1/things/1", "Set-Cookie": "secret=1"})


def test_the_first_answer_is_given_again(state: AppState, caller: Caller) -> None:
    log: list[str] = []
    first, again = (once(state, caller, "k", lambda: "same", lambda: _made(log)) for _ in range(2))
    assert log == ["made"]
    assert (again.status_code, again.body, again.headers["location"]) == (201, first.body, "/v1/things/1")
    assert again.headers["content-type"] == "application/json"
    assert "set-cookie" not in again.headers
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")


def test_without_a_key_everything_is_carried_out(state: AppState, caller: Caller) -> None:
    log: list[str] = []
    for _ in range(2):
        once(state, caller, None, lambda: pytest.fail("nobody asked for it"), lambda: _made(log))
    assert log == ["made", "made"]


def test_another_request_under_the_key_is_a_conflict(state: AppState, caller: Caller) -> None:
    once(state, caller, "k", lambda: "one", lambda: _made([]))
    with pytest.raises(ConflictError, match="was used for another request"):
        once(state, caller, "k", lambda: "two", lambda: pytest.fail("it was carried out"))


def test_one_that_failed_may_be_tried_again(state: AppState, caller: Caller) -> None:
    def fail() -> Response:
        raise SourceError("It is gone.")

    with pytest.raises(SourceError):
        once(state, caller, "k", lambda: "same", fail)
    assert once(state, caller, "k", lambda: "same", lambda: _made([])).status_code == 201


def test_while_the_first_is_carried_out_the_second_is_refused(state: AppState, caller: Caller) -> None:
    begun, end = threading.Event(), threading.Event()

    def slow() -> Response:
        begun.set()
        end.wait(30)
        return _made([])

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(once, state, caller, "k", lambda: "same", slow)
        assert begun.wait(30)
        with pytest.raises(ConflictError, match="still being carried out"):
            once(state, caller, "k", lambda: "same", lambda: pytest.fail("it was carried out twice"))
        end.set()
        assert first.result(30).status_code == 201


def test_a_fingerprint_is_of_what_is_asked_for_and_of_every_byte() -> None:
    def file(data: bytes) -> list[tuple[str, Any]]:
        return [("a.png", io.BytesIO(data))]

    base = fingerprint("jobs", {"a": 1, "b": [2]}, file(b"x"))
    assert base == fingerprint("jobs", {"b": [2], "a": 1}, file(b"x"))
    others = [
        fingerprint("documents", {"a": 1, "b": [2]}, file(b"x")),
        fingerprint("jobs", {"a": 2, "b": [2]}, file(b"x")),
        fingerprint("jobs", {"a": 1, "b": [2]}, file(b"y")),
        fingerprint("jobs", {"a": 1, "b": [2]}, [("b.png", io.BytesIO(b"x"))]),
        fingerprint("jobs", {"a": 1, "b": [2]}),
    ]
    assert base not in others
    assert len(set(others)) == len(others)
    read = io.BytesIO(b"abc")
    fingerprint("jobs", {}, [("a", read)])
    assert read.tell() == 0
