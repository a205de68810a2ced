"""Errors as problem details (RFC 9457): the one place that knows which error has which status.

``type`` is ``urn:limner:problem:`` and the error's code, and never changes for an error once released;
``docs/reference/problems.md`` lists them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from limner.core import errors

logger = logging.getLogger(__name__)


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:limner:problem:model.not-found",
                "title": "Not Found",
                "status": 404,
                "detail": "There is no model called 'pagge'. Did you mean page?",
            }
        }
    )

    type: str = Field(description="Stable name of the kind of problem: `urn:limner:problem:` and its code.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was wrong and what to do, for people.")


#: Status of each kind of error; a class not named here has that of the nearest class above it.
STATUS: Mapping[type[errors.LimnerError], HTTPStatus] = {
    errors.LimnerError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.UsageError: HTTPStatus.BAD_REQUEST,
    errors.UnknownNameError: HTTPStatus.NOT_FOUND,
    errors.ShapeError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.FormatError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SourceError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.AddressRefusedError: HTTPStatus.FORBIDDEN,
    errors.FetchError: HTTPStatus.BAD_GATEWAY,
    errors.TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.ModelError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ModelNotFoundError: HTTPStatus.NOT_FOUND,
    errors.TrainingError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DatasetError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DatasetNotFoundError: HTTPStatus.NOT_FOUND,
    errors.NotAllowedError: HTTPStatus.FORBIDDEN,
    errors.NoTokenError: HTTPStatus.UNAUTHORIZED,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.NotImplementedHereError: HTTPStatus.NOT_IMPLEMENTED,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.TooManyRequestsError: HTTPStatus.TOO_MANY_REQUESTS,
}


#: What every route may answer besides, for the OpenAPI.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "The request cannot be carried out; `type` says why."},
    "5XX": {"model": Problem, "description": "The server, or one that it asked, failed."},
}


#: Status of errors by their code, where their class is not loaded here.
_BY_CODE = {"storage": HTTPStatus.SERVICE_UNAVAILABLE}
#: Where database and blob store are is not for everybody; and seconds until it is worth asking again.
_AWAY, _AWAY_SECONDS = "The database or the blob store cannot be used just now.", 5


def status_of(error: errors.LimnerError) -> HTTPStatus:
    """The status for an error."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


class ProblemResponse(JSONResponse):
    """An answer of media type ``application/problem+json``."""

    media_type = "application/problem+json"


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: object
) -> ProblemResponse:
    """A problem answer."""
    title = HTTPStatus(status).phrase
    body = {"type": f"urn:limner:problem:{code}", "title": title, "status": status, "detail": detail, **more}
    return ProblemResponse(jsonable_encoder(body), status, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Let an application answer every error as a problem."""
    app.add_exception_handler(errors.LimnerError, _limner_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen)


def answer_to(error: errors.LimnerError) -> ProblemResponse:
    """The answer to an error of ours."""
    status = status_of(error)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        logger.error("%s", error)
        return problem(status, error.code, _AWAY, {"Retry-After": str(_AWAY_SECONDS)})
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    if isinstance(error, errors.TooManyRequestsError):
        headers["Retry-After"] = str(error.retry_after)
    return problem(status, error.code, str(error), headers)


async def _limner_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, errors.LimnerError)  # noqa: S101 - registered for no other
    answer = answer_to(error)
    if answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer


async def _validation_error(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    wrong = [{"where": list(each["loc"]), "what": each["msg"]} for each in error.errors()]
    said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "request", f"The request cannot be used: {said}.", errors=wrong)


async def _http_error(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return problem(413, "body-too-large", str(error.detail), error.headers)  # its phrase is not the same everywhere
    phrase = HTTPStatus(error.status_code).phrase
    return problem(error.status_code, phrase.lower().replace(" ", "-"), str(error.detail), error.headers)


async def _unforeseen(request: Request, error: Exception) -> ProblemResponse:
    logger.error("%s %s failed unexpectedly", request.method, request.url.path, exc_info=error)
    return problem(500, "unexpected", "Something went wrong inside Limner; its log says what.")
