"""What can go wrong between a client and its server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from limner.client.call import Answer
from limner.core.errors import LimnerError

#: What stands before the code in a problem's ``type``.
_PREFIX = "urn:limner:problem:"


class ServerUnreachableError(LimnerError):
    """The server cannot be reached, or broke off in the middle of its answer."""

    code = "server-unreachable"


class ApiError(LimnerError):
    """The server refused.

    One raised for a problem whose code `limner.core.errors` knows is of that class too: ``except
    ConflictError`` works here as everywhere.
    """

    def __init__(
        self, message: str | None = None, *, status: int = 0, type_: str = "about:blank", request_id: str | None = None
    ) -> None:
        LimnerError.__init__(self, message)
        #: The HTTP status.
        self.status = status
        #: The problem's type (RFC 9457): ``urn:limner:problem:…``, stable.
        self.type = type_
        #: The server's sentence on what was wrong.
        self.detail = self.message
        #: What the server's log knows the request by.
        self.request_id = request_id
        #: Seconds after which it is worth trying again.
        self.retry_after = 1
        #: The problem as it came, with whatever else the server says in it.
        self.problem: Mapping[str, Any] = {}


def error_of(answer: Answer) -> ApiError:
    """The error that an answer with an error status stands for."""
    problem = _problem(answer)
    type_ = str(problem.get("type", "about:blank"))
    code = type_.removeprefix(_PREFIX) if type_.startswith(_PREFIX) else LimnerError.code
    message = str(problem.get("detail") or problem.get("title") or _plain_reason(answer))
    error = _class_for(code)(message, status=answer.status, type_=type_, request_id=answer.headers.get("x-request-id"))
    error.retry_after = retry_after(answer.headers) or error.retry_after
    error.problem = problem
    return error


def retry_after(headers: Mapping[str, str]) -> int | None:
    """The seconds that a server asks to wait; None where it does not say, or as a date."""
    value = headers.get("retry-after", "").strip()
    return int(value) if value.isascii() and value.isdigit() else None


def _problem(answer: Answer) -> Mapping[str, Any]:
    """The problem in an answer, or an empty one: what answers may be a proxy."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _plain_reason(answer: Answer) -> str:
    if 300 <= answer.status < 400:
        return f"The server points to another address: {answer.headers.get('location', '?')}. Use that one."
    return f"The server answered with status {answer.status}, and no reason that Limner would give."


@lru_cache(maxsize=200)
def _class_for(code: str) -> type[ApiError]:
    """`ApiError`, joined with the class of that code where there is one."""
    known = next((cls for cls in _all(LimnerError) if cls.code == code and not issubclass(cls, ApiError)), None)
    bases, name = ((ApiError,), "ApiError") if known is None else ((ApiError, known), f"Api{known.__name__}")
    return cast("type[ApiError]", type(name, bases, {"code": code, "__module__": __name__}))


def _all(cls: type[LimnerError]) -> Iterator[type[LimnerError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _all(child)
