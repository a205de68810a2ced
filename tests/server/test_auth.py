"""Tokens: who is let in, and what a refusal tells."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient
from starlette.types import Message

from limner.core.errors import NotAllowedError
from limner.server.auth import Caller, is_loopback, presented
from limner.storage.tokens import Tokens
from tests.server.conftest import MakeClient
from tests.server.running import state_of, token_for, with_token


def test_a_token_is_needed(anonymous: TestClient) -> None:
    answer = anonymous.get("/v1/models")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "urn:limner:problem:no-token"


@pytest.mark.parametrize(("header", "form"), [("Authorization", "Bearer {}"), ("X-API-Key", "{}")])
def test_a_token_is_shown_in_either_header(anonymous: TestClient, header: str, form: str) -> None:
    headers = {header: form.format(token_for(anonymous, "annotate"))}
    assert anonymous.get("/v1/models", headers=headers).status_code == 200


def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(anonymous: TestClient) -> None:
    state = state_of(anonymous)
    tokens = Tokens(state.database, state.home)
    expired = tokens.create("old", ["admin"], expires_at=datetime.now(UTC) - timedelta(seconds=1))[1]
    made, revoked = tokens.create("gone", ["admin"])
    tokens.delete(made.id)
    valid = token_for(anonymous, "admin")
    wrong = [expired, revoked, valid[:-1], valid.upper(), "limner_", "secret", "a.b.c", "eyJhbGciOiJub25lIn0.e30."]
    answers = [anonymous.get("/v1/models", headers={"X-API-Key": token}) for token in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_a_revoked_token_ends_at_once(anonymous: TestClient) -> None:
    state = state_of(anonymous)
    made, secret = Tokens(state.database, state.home).create("short", ["annotate"])
    client = with_token(anonymous, secret)
    assert client.get("/v1/models").status_code == 200
    Tokens(state.database, state.home).delete(made.id)
    assert client.get("/v1/models").status_code == 401


def test_the_use_of_a_token_is_noted(anonymous: TestClient) -> None:
    state = state_of(anonymous)
    _, secret = Tokens(state.database, state.home).create("used", ["annotate"])
    with_token(anonymous, secret).get("/v1/models")
    (token,) = Tokens(state.database, state.home).list()
    assert token.last_used_at is not None


def test_a_token_is_in_no_log_line(anonymous: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    secret = token_for(anonymous, "admin")
    with caplog.at_level(logging.DEBUG):
        with_token(anonymous, secret).get("/v1/models")
        with_token(anonymous, f"{secret}x").get(f"/v1/models?token={secret}")
    lines = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    assert [line for line in lines if "GET /v1/models 200" in line]
    assert not [line for line in lines if secret in line]


async def test_nothing_of_the_body_is_read_before_the_token_is_known(anonymous: TestClient) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("The body was read.")

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": "/v1/annotate", "headers": headers, "query_string": b""}
    await anonymous.app({**scope, "client": ("127.0.0.1", 1), "http_version": "1.1"}, receive, send)
    assert sent[0]["status"] == 401


def test_a_path_without_a_route_needs_a_token_too(anonymous: TestClient) -> None:
    assert anonymous.get("/v1/anything").status_code == 401


def test_without_tokens_everybody_here_is_the_admin(make_client: MakeClient) -> None:
    client = make_client(auth=False)
    assert client.get("/v1/settings").json()["scopes"] == ["admin"]
    assert client.get("/v1/workspaces").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8400"},
        {"Host": "localhost.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "[::1"},
    ],
)
def test_without_tokens_pages_of_other_sites_are_refused(make_client: MakeClient, headers: dict[str, str]) -> None:
    answer = make_client(auth=False).get("/v1/models", headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{"Host": "localhost:8400"}, {"Host": "[::1]:8400"}, {"Origin": "http://localhost:3000"}],
)
def test_without_tokens_programs_of_this_machine_are_served(make_client: MakeClient, headers: dict[str, str]) -> None:
    assert make_client(auth=False).get("/v1/models", headers=headers).status_code == 200


def test_admin_includes_the_other_scopes() -> None:
    Caller("w", None, "boss", frozenset({"admin"})).require("train")
    with pytest.raises(NotAllowedError, match="'train'"):
        Caller("w", None, "app", frozenset({"annotate"})).require("train")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "bearer  abc "}, "abc"),
        ({"authorization": "Basic abc"}, None),
        ({"authorization": "Bearer "}, None),
        ({"x-api-key": " abc "}, "abc"),
        ({"authorization": "Bearer one", "x-api-key": "two"}, "one"),
        ({"authorization": "Basic one", "x-api-key": "two"}, "two"),
        ({}, None),
    ],
)
def test_where_a_token_stands(headers: dict[str, str], expected: str | None) -> None:
    assert presented(Headers(headers)) == expected


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("", False),
        ("localhost.", False),
    ],
)
def test_what_this_machine_is_called(host: str, here: bool) -> None:
    assert is_loopback(host) is here
