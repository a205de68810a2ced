"""Bodies: the same fields from JSON and from a form."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict

from limner.core.errors import TooLargeError, UsageError
from limner.server.bodies import as_json, by_commas, read_body


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str | None = None
    labels: list[str] = []
    zones: list[list[float]] = []
    number: int = 0


READERS = {"labels": by_commas, "zones": as_json}


def _request(**content: Any) -> Request:
    sent = httpx.Request("POST", "http://limner.example/", **content)
    data = sent.read()
    body = [data[at : at + 70] for at in range(0, len(data), 70)]

    async def receive() -> dict[str, Any]:
        piece = body.pop(0) if body else b""
        return {"type": "http.request", "body": piece, "more_body": bool(body)}

    headers = [(name.lower(), value) for name, value in sent.headers.raw]
    return Request({"type": "http", "headers": headers, "method": "POST"}, receive)


async def _read(request: Request, most: int = 1000) -> AsyncIterator[Any]:
    async with read_body(request, Fields, most_json=most, readers=READERS) as body:
        yield body.fields, [(upload.name, upload.file.read()) for upload in body.files]


async def test_json_and_a_form_say_the_same() -> None:
    fields = {"title": "Ms 22", "labels": ["a", "b"], "zones": [[1, 2, 3, 4]], "number": 5}
    form = {"title": "Ms 22", "labels": "a, b,", "zones": "[[1, 2, 3, 4]]", "number": "5"}
    files = [("file", ("1.png", b"one")), ("files", ("", b"two"))]
    assert [each async for each in _read(_request(json=fields))] == [(Fields(**fields), [])]
    ((given, sent),) = [each async for each in _read(_request(data=form, files=files[:1]))]
    assert (given, sent) == (Fields(**fields), [("1.png", b"one")])


async def test_empty_fields_of_a_form_count_for_nothing() -> None:
    files = [("file", ("1.png", b"one"))]
    ((given, _),) = [each async for each in _read(_request(data={"title": "", "number": ""}, files=files))]
    assert given == Fields()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"json": {"titel": "x"}}, RequestValidationError),
        ({"json": {"number": "x"}}, RequestValidationError),
        ({"content": b'{"title": ', "headers": {"content-type": "application/json"}}, RequestValidationError),
        ({"json": {"title": "x" * 1000}}, TooLargeError),
        ({"content": b"title=x", "headers": {"content-type": "application/x-www-form-urlencoded"}}, UsageError),
        ({"content": b""}, UsageError),
        ({"data": {"zones": "[["}, "files": [("file", ("1.png", b""))]}, UsageError),
        ({"data": {"zones": "[" * 100_000}, "files": [("file", ("1.png", b""))]}, UsageError),
        ({"files": [("image", ("1.png", b"one"))]}, UsageError),
    ],
)
async def test_what_cannot_be_read_is_refused(content: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        [each async for each in _read(_request(**content))]


def test_what_is_wrong_is_told_without_repeating_it() -> None:
    assert by_commas(" a,, b ,") == ["a", "b"]
    assert as_json("[1]") == [1]
    with pytest.raises(UsageError) as raised:
        as_json("secret")
    assert "secret" not in json.dumps(str(raised.value))
