"""Bodies that are a form with files or JSON, read into the same fields."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from limner.core.errors import TooLargeError, UsageError
from limner.operations.documents.uploads import Upload

M = TypeVar("M", bound=BaseModel)

#: Most files in one form.
MOST_FILES = 1000
_MOST_FIELDS = 50
_FILE_FIELDS = frozenset({"file", "files"})
#: How a field of a form is read that is no plain text.
Reader = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Body(Generic[M]):
    """A request's body."""

    fields: M
    #: There as long as the body is being read; on the disk, beyond the first megabyte of each.
    files: Sequence[Upload]


@asynccontextmanager
async def read_body(
    request: Request, model: type[M], *, most_json: int, readers: Mapping[str, Reader] | None = None
) -> AsyncGenerator[Body[M], None]:
    """The body; raises `RequestValidationError`, `UsageError` or `TooLargeError`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        yield Body(_json_fields(await _limited(request, most_json), model), ())
    elif kind == "multipart/form-data":
        async with request.form(max_files=MOST_FILES, max_fields=_MOST_FIELDS) as form:
            yield Body(_form_fields(form, model, readers or {}), _files(form))
    else:
        raise UsageError("The body is neither a form with files nor JSON.", hint="Set its Content-Type.")


async def _limited(request: Request, most: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise TooLargeError(f"The JSON is larger than {most:,} bytes.", hint="Send files as a form.")
    return bytes(body)


def _json_fields(body: bytes, model: type[M]) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise unusable(error) from error


def _form_fields(form: FormData, model: type[M], readers: Mapping[str, Reader]) -> M:
    """The fields of a form; empty ones count for nothing."""
    fields: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, str) and value:
            fields[name] = readers.get(name, str)(value)
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise unusable(error) from error


def _files(form: FormData) -> list[Upload]:
    out = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name not in _FILE_FIELDS:
                raise UsageError(f"There is a file in the field {name[:50]!r}.", hint="Send files as `file`.")
            out.append(Upload(value.filename or "", value.file))
    return out


def by_commas(value: str) -> list[str]:
    """``a, b`` as a list."""
    return [part.strip() for part in value.split(",") if part.strip()]


def as_json(value: str) -> object:
    """A field that holds JSON; raises `UsageError`."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise UsageError("A field of the form should hold JSON, and does not.") from error


def unusable(error: ValidationError) -> RequestValidationError:
    """What pydantic says of a body, as FastAPI would have said it."""
    return RequestValidationError(
        [{**each, "loc": ("body", *each["loc"]), "input": None} for each in error.errors(include_url=False)]
    )
