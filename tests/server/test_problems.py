"""Errors as problem details."""

import logging
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient

from limner.core import errors
from limner.server import problems
from limner.server.problems import STATUS, status_of
from limner.storage.database import StorageError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "problems.md"


def _answer(error: Exception, path: str = "/"):
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def root(number: int = 0) -> int:
        raise error

    return TestClient(app, raise_server_exceptions=False).get(path)


def test_an_error_of_ours_names_itself_and_what_to_do() -> None:
    answer = _answer(errors.UsageError("That is wrong.", hint="Do this."))
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:limner:problem:usage",
        "title": "Bad Request",
        "status": 400,
        "detail": "That is wrong. Do this.",
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NoTokenError(), 401),
        (errors.NotAllowedError(), 403),
        (errors.NotFoundError(), 404),
        (errors.ConflictError(), 409),
        (errors.StatusError(), 502),
        (errors.DecodeError(), 422),
        (errors.TooLargeError(), 413),
        (errors.LimnerError(), 500),
    ],
)
def test_each_error_has_its_status(error: errors.LimnerError, status: int) -> None:
    assert status_of(error) == status
    assert _answer(error).status_code == status


def test_every_status_in_the_table_is_an_error_status() -> None:
    assert all(400 <= status < 600 for status in STATUS.values())


def test_a_missing_token_is_asked_for() -> None:
    assert _answer(errors.NoTokenError()).headers["www-authenticate"] == "Bearer"


def test_waiting_time_is_told() -> None:
    assert _answer(errors.TooManyRequestsError(retry_after=7)).headers["retry-after"] == "7"


def test_a_request_that_does_not_fit_names_the_place() -> None:
    answer = _answer(ValueError(), "/?number=many")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == ["query", "number"]


def test_frameworks_own_errors_look_the_same() -> None:
    assert _answer(HTTPException(418, "no")).json()["type"] == "urn:limner:problem:i'm-a-teapot"
    assert _answer(ValueError(), "/nowhere").json()["status"] == 404


def test_the_unforeseen_tells_the_log_and_not_the_client(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = _answer(RuntimeError("password=secret"))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "RuntimeError" in caplog.text


def _documented() -> dict[str, int]:
    """The codes in the table of the reference, and their statuses."""
    rows = [line.split("|")[1:3] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {code.strip(" `"): int(status) for codes, status in rows for code in codes.split(",")}


def _errors(base: type[errors.LimnerError]) -> list[type[errors.LimnerError]]:
    return [base, *(each for direct in base.__subclasses__() for each in _errors(direct))]


def test_every_error_is_documented_with_its_status() -> None:
    for error in _errors(errors.LimnerError):
        if error.__module__ in (errors.__name__, StorageError.__module__):
            assert _documented().get(error.code) == status_of(error()), error


def test_nothing_is_documented_that_does_not_exist() -> None:
    known = {error.code for error in _errors(errors.LimnerError)}
    assert (
        set(_documented()) - known
        == {"request", "unexpected", "method-not-allowed", "body-too-large", "storage"} - known
    )


@pytest.mark.parametrize(("status", "code"), [(404, "not-found"), (405, "method-not-allowed"), (413, "body-too-large")])
def test_what_the_framework_refuses_has_a_documented_code(status: int, code: str) -> None:
    assert _answer(HTTPException(status)).json()["type"] == f"urn:limner:problem:{code}"
    assert _documented()[code] == status


def test_a_database_that_is_away_is_no_fault_of_the_request() -> None:
    answer = _answer(StorageError("The database at secret.example cannot be used."))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == "urn:limner:problem:storage"
    assert "secret" not in answer.text
