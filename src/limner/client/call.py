"""A request to a server and how its answer is read, apart from how it travels."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote

from limner.annotations.annotation import Json
from limner.core.errors import FormatError, UsageError

T = TypeVar("T")
R = TypeVar("R")

#: A JSON object as it comes from a server.
Plain: TypeAlias = Mapping[str, "Json"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    #: Header names in lower case.
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """The body as a JSON value; raises `FormatError`."""
        try:
            value: Json = json.loads(self.body)
        except ValueError as error:
            raise FormatError(
                "The server's answer is no JSON.", hint="Is the address that of a Limner server?"
            ) from error
        return value

    def plain(self) -> Plain:
        """The body as a JSON object; raises `FormatError`."""
        value = self.json()
        if not isinstance(value, dict):
            raise FormatError("The server's answer is no JSON object.")
        return value

    @property
    def media_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be sent: from the disk, piece by piece, or from memory."""

    #: What it is called on the server.
    name: str
    content: Path | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request: what to send, and what to make of the answer."""

    method: str
    path: str
    read: Callable[[Answer], T]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    #: A JSON body; None for none, or where there are files.
    body: Json = None
    #: Fields of a form, sent with the files.
    form: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Upload] = ()
    #: Whether sending it twice comes to the same as sending it once.
    repeatable: bool = True

    def having(self, **params: str) -> Call[T]:
        """The same with other parameters of the query."""
        return replace(self, params={**self.params, **params})

    def reading(self, read: Callable[[Answer], R]) -> Call[R]:
        """The same with another reader of its answer."""
        return cast("Call[R]", replace(self, read=cast("Callable[[Answer], T]", read)))


def path(*segments: str | int) -> str:
    """``/v1/…`` with each segment escaped; raises `UsageError` for one that could lead elsewhere."""
    for segment in segments:
        if str(segment).strip() in {"", ".", ".."}:
            raise UsageError(f"{segment!r} is no name that can stand in an address.")
    return "/".join(["/v1", *(quote(str(segment), safe="@") for segment in segments)])


def filled(**values: str | float | None) -> dict[str, str]:
    """The values that are not None, as a query or a form carries them."""
    return {key: str(value) for key, value in values.items() if value is not None}


def once(key: str | None) -> dict[str, str]:
    """The header that lets a POST be repeated without being done twice."""
    return {"idempotency-key": key or uuid.uuid4().hex}


def nothing(_: Answer) -> None:
    """Make nothing of an answer."""


def text(answer: Answer) -> str:
    """The body as text; raises `FormatError` where it is a zip of several files or a picture."""
    if answer.media_type == "application/zip" or answer.media_type.startswith("image/"):
        raise FormatError(f"The answer is no text but {answer.media_type}.", hint="Save it to a file.")
    return answer.body.decode("utf-8", errors="replace")


def content(answer: Answer) -> bytes:
    """The body as it is."""
    return answer.body
