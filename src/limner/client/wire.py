"""What both ways of travelling share: from a call to what httpx sends, and from what it received to an answer."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, TypedDict, cast

import httpx

from limner.client.call import Answer, Call
from limner.client.errors import error_of
from limner.core.errors import UsageError

#: Seconds to wait for a connection.
_CONNECT = 10.0


@dataclass(frozen=True, slots=True, repr=False)
class Connection:
    """Where the server is, and how to talk to it."""

    base_url: str
    token: str | None = None
    #: Seconds to wait for the server's next word.
    timeout: float = 300.0
    #: How often a call that may be repeated is tried again.
    retries: int = 3

    def __post_init__(self) -> None:
        if not re.match(r"https?://[^/\s]", self.base_url, re.IGNORECASE):
            raise UsageError(
                f"{self.base_url!r} is no address of a server.", hint="Write it as http://host:port or https://host."
            )

    def settings(self) -> ClientSettings:
        """What both clients of httpx are made with."""
        headers = {"user-agent": f"limner-client/{version('limner')}", "accept": "application/json, */*;q=0.5"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        return {
            "base_url": self.base_url,
            "headers": headers,
            "timeout": httpx.Timeout(self.timeout, connect=min(_CONNECT, self.timeout)),
        }

    def silence(self, seconds: float) -> httpx.Timeout:
        """Time limits for a stream that may be silent for so long."""
        return httpx.Timeout(self.timeout, connect=min(_CONNECT, self.timeout), read=seconds)


class ClientSettings(TypedDict):
    """Arguments of `httpx.Client` and `httpx.AsyncClient`."""

    base_url: str
    headers: dict[str, str]
    timeout: httpx.Timeout


class RequestParts(TypedDict, total=False):
    """Arguments of ``build_request``."""

    method: str
    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    json: Any
    data: Mapping[str, str]
    files: list[tuple[str, tuple[str, IO[bytes] | bytes]]]


class LazyFile(io.RawIOBase):
    """A file that is open only while it is read: an upload of thousands must not hold them all open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._at = 0
        self._file: IO[bytes] | None = None

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought in: from its end to tell its length, from its start to be sent."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position; the next read begins there."""
        self._release()
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Bytes from the position on; the file is closed again after the last ones."""
        if self._file is None:
            self._file = self._path.open("rb")
            self._file.seek(self._at)
        piece = self._file.read(size)
        self._at += len(piece)
        if not piece:
            self._release()
        return piece

    def close(self) -> None:
        """Let go of it."""
        self._release()
        super().close()

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def parts(call: Call[Any], stack: ExitStack) -> RequestParts:
    """What to send; the stack closes what was opened for it. Made anew for each attempt."""
    made: RequestParts = {"method": call.method, "url": call.path, "headers": call.headers}
    if call.params:
        made["params"] = call.params
    if call.body is not None:
        made["json"] = call.body
    if call.files:
        made["data"] = call.form
        made["files"] = [("file", (upload.name, _opened(upload.content, stack))) for upload in call.files]
    return made


def _opened(content: Path | bytes, stack: ExitStack) -> IO[bytes] | bytes:
    if isinstance(content, bytes):
        return content
    try:
        return cast("IO[bytes]", stack.enter_context(LazyFile(content)))
    except OSError as error:
        raise UsageError(f"{content} cannot be read: {error.strerror or error}.") from error


def answer_of(response: httpx.Response) -> Answer:
    """A response whose body has been read."""
    return Answer(
        response.status_code, {key.lower(): value for key, value in response.headers.items()}, response.content
    )


def failed(response: httpx.Response) -> bool:
    """Whether a response is anything but what was asked for."""
    return response.status_code >= 300


def checked(answer: Answer) -> Answer:
    """The answer; raises `ApiError` where it is a refusal."""
    if answer.status >= 300:
        raise error_of(answer)
    return answer


class Lines:
    """Splits what arrives into lines, at line feeds alone.

    The lines of httpx end at everything that Unicode calls a line end, and text that was read from a
    page may hold any of these.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[str]:
        """The lines that a piece completes."""
        *complete, self._rest = (self._rest + piece).split(b"\n")
        return [_text(line) for line in complete]

    def end(self) -> list[str]:
        """The line that no line feed follows, if there is one."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", errors="replace")


def place_for(to: Path, response: httpx.Response) -> tuple[Path, Path]:
    """Where an answer is saved, and what it is called until it is complete.

    In a folder it goes by the name that the server gives it.
    """
    path = to / _name_given(response) if to.is_dir() else to
    return path, path.with_name(f".{path.name}.partial")


def _name_given(response: httpx.Response) -> str:
    """The file name in ``Content-Disposition``, without anything that could lead elsewhere."""
    message = Message()
    message["content-disposition"] = response.headers.get("content-disposition", "")
    given = str(message.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    return given if given.strip(". ") else "results"
