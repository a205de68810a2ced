"""The gate and the request's context, on a real application."""

import logging
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request, UploadFile
from fastapi.testclient import TestClient
from starlette.datastructures import Headers

from limner.core.settings import Settings
from limner.server import problems
from limner.server.middleware import Gate, RequestContext, body_limit, request_id


def _client(peer: str = "203.0.113.5", **settings: object) -> TestClient:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def root(request: Request) -> dict[str, str]:
        return {"client": request.state.client_address, "id": request_id.get()}

    @app.get("/healthz")
    async def health() -> str:
        return "ok"

    @app.post("/upload")
    async def upload(file: UploadFile) -> int:
        return len(await file.read())

    app.add_middleware(Gate, settings=Settings(**settings))
    app.add_middleware(RequestContext)
    return TestClient(app, client=(peer, 1234), raise_server_exceptions=False)


def test_every_answer_has_an_id_and_the_security_headers() -> None:
    answer = _client().get("/")
    assert answer.headers["x-request-id"] == answer.json()["id"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"


def test_an_id_that_was_given_is_taken_over_if_it_is_harmless() -> None:
    assert _client().get("/", headers={"X-Request-ID": "abc-1"}).json()["id"] == "abc-1"
    assert _client().get("/", headers={"X-Request-ID": "a b\tc"}).json()["id"] != "a b\tc"


def test_the_log_line_has_no_query(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="limner.access"):
        _client().get("/?token=secret")
    assert "GET / 200" in caplog.text
    assert "secret" not in caplog.text


def test_clients_that_are_not_listed_are_refused() -> None:
    assert _client(allowed_clients="203.0.113.0/24").get("/").status_code == 200
    answer = _client(allowed_clients="198.51.100.1").get("/")
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:limner:problem:not-allowed"
    assert answer.headers["content-type"] == "application/problem+json"


def test_forwarded_addresses_count_only_behind_a_trusted_proxy() -> None:
    headers = {"X-Forwarded-For": "198.51.100.1"}
    assert _client(allowed_clients="198.51.100.1").get("/", headers=headers).status_code == 403
    behind = _client(allowed_clients="198.51.100.1", trusted_proxies="203.0.113.0/24")
    assert behind.get("/", headers=headers).json()["client"] == "198.51.100.1"


def test_too_many_requests_are_told_when_to_come_back() -> None:
    client = _client(rate_limit=3)
    assert [client.get("/").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert int(client.get("/").headers["retry-after"]) >= 1
    assert client.get("/healthz").status_code == 200


def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    answer = _client(max_body_bytes=100).post("/upload", files={"file": b"x" * 1000})
    assert answer.status_code == 413
    assert "LIMNER_MAX_BODY_BYTES" in answer.json()["detail"]


def test_a_body_that_does_not_say_is_counted_while_it_is_read() -> None:
    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        for _ in range(100):
            yield b"x" * 100

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = _client(max_body_bytes=1000).post("/upload", content=body(), headers=headers)
    assert answer.status_code == 413
    assert (
        answer.json()["type"] == "urn:limner:problem:request-entity-too-large" or "too-large" in answer.json()["type"]
    )


def test_json_is_held_in_memory_and_so_has_a_lower_limit() -> None:
    settings = Settings(max_body_bytes=5_000_000, fetch_max_bytes=2_000_000)
    assert body_limit(Headers({"content-type": "multipart/form-data; boundary=b"}), settings) == 5_000_000
    assert body_limit(Headers({"content-type": "application/json"}), settings) == 2_800_000
    assert body_limit(Headers({}), settings) == 2_800_000
    assert body_limit(Headers({}), Settings(max_body_bytes=100)) == 100
    assert body_limit(Headers({}), Settings(fetch_max_bytes=100)) == 1_000_000
