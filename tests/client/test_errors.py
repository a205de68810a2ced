"""Refusals as errors."""

import json

import pytest

from limner.client.call import Answer
from limner.client.errors import ApiError, error_of, retry_after
from limner.core.errors import (
    ConflictError,
    LimnerError,
    ModelNotFoundError,
    NotFoundError,
    NoTokenError,
    TooManyRequestsError,
    UsageError,
)


def _refusal(status: int, code: str, **more: object) -> Answer:
    problem = {"type": f"urn:limner:problem:{code}", "title": "T", "status": status, "detail": "D", **more}
    return Answer(status, {"x-request-id": "r1", "retry-after": "7"}, json.dumps(problem).encode())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("conflict", ConflictError),
        ("not-found", NotFoundError),
        ("model.not-found", ModelNotFoundError),
        ("no-token", NoTokenError),
        ("too-many-requests", TooManyRequestsError),
        ("usage", UsageError),
    ],
)
def test_a_code_that_is_known_is_of_its_class_too(code: str, expected: type[LimnerError]) -> None:
    error = error_of(_refusal(409, code))
    assert isinstance(error, ApiError)
    assert isinstance(error, expected)
    assert (error.code, error.status, error.detail, error.request_id) == (code, 409, "D", "r1")
    assert error.type == f"urn:limner:problem:{code}"
    assert str(error) == "D"
    assert error.retry_after == 7


def test_a_code_of_a_newer_server_is_kept() -> None:
    error = error_of(_refusal(418, "teapot", spout="left"))
    assert type(error).__mro__[1] is ApiError
    assert (error.code, error.problem["spout"]) == ("teapot", "left")
    assert not isinstance(error, UsageError)


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[1]", b""])
def test_what_is_no_problem_still_has_a_sentence(body: bytes) -> None:
    error = error_of(Answer(502, {}, body))
    assert "502" in str(error)
    assert (error.status, error.type, error.request_id) == (502, "about:blank", None)


def test_a_redirection_says_where_to() -> None:
    assert "https://else.example" in str(error_of(Answer(301, {"location": "https://else.example"}, b"")))


@pytest.mark.parametrize(("value", "seconds"), [("3", 3), ("", None), ("soon", None), ("-1", None), ("²", None)])
def test_only_seconds_are_read_from_retry_after(value: str, seconds: int | None) -> None:
    assert retry_after({"retry-after": value}) == seconds
