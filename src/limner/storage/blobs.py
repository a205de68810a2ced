"""Blobs: images, uploads, results. A local folder or any store that fsspec reaches (``s3://bucket/prefix``)."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from limner.core.errors import NotFoundError, SettingsError, UsageError
from limner.storage.database import StorageError

#: A part of a key: letters, digits and ``. _ - + =``, not beginning with a dot.
_PART = re.compile(r"[\w+=-][\w.+=-]{0,199}", re.ASCII)
#: Bytes read at one time.
_BLOCK = 1 << 20


class Blobs:
    """A store of blobs under keys like ``jobs/<id>/images/12.jpg``."""

    def __init__(self, address: str | Path) -> None:
        text = str(address)
        self.local = Path(text.removeprefix("file://")).expanduser() if _is_folder(text) else None
        if self.local is not None:
            self.local.mkdir(parents=True, exist_ok=True)
            self.local = self.local.resolve()
        self._fs, self._root = _filesystem(str(self.local or text))

    def write(self, key: str, data: bytes | Iterable[bytes]) -> int:
        """Keep a blob, given whole or in pieces; its size in bytes. Nobody sees it before it is complete."""
        pieces = [data] if isinstance(data, bytes) else data
        return self._write_file(key, pieces) if self.local else self._write_object(key, pieces)

    def read(self, key: str) -> bytes:
        """A blob, whole; raises `NotFoundError`."""
        with self.open(key) as file:
            return file.read()

    def open(self, key: str) -> IO[bytes]:
        """A blob as a file that can be read and sought in; raises `NotFoundError`."""
        try:
            return cast("IO[bytes]", self._fs.open(self._path(key), "rb"))
        except FileNotFoundError as error:
            raise NotFoundError(f"There is no blob {key}.") from error

    def stream(self, key: str) -> Iterator[bytes]:
        """A blob in pieces; raises `NotFoundError` before the first."""
        return _pieces(self.open(key))

    def size(self, key: str) -> int:
        """Bytes of a blob; raises `NotFoundError`."""
        try:
            return int(self._fs.size(self._path(key)))
        except FileNotFoundError as error:
            raise NotFoundError(f"There is no blob {key}.") from error

    def exists(self, key: str) -> bool:
        """Whether there is a blob of that key."""
        return bool(self._fs.isfile(self._path(key)))

    def path(self, key: str) -> Path | None:
        """Where the blob lies on this machine's disk; None where it does not."""
        path = self._path(key)
        return Path(path) if self.local else None

    def keys(self, prefix: str) -> list[str]:
        """The keys under a prefix (``jobs/<id>``), sorted."""
        found = self._fs.find(self._path(prefix))
        start = len(self._root) + 1
        return sorted(path[start:] for path in found if not path.endswith(_PARTIAL))

    def delete(self, key: str) -> None:
        """Forget a blob; no error where there is none."""
        if self._fs.isfile(self._path(key)):
            self._fs.rm_file(self._path(key))

    def delete_all(self, prefix: str) -> None:
        """Forget every blob under a prefix."""
        path = self._path(prefix)
        if self.local:
            shutil.rmtree(path, ignore_errors=True)
        elif self._fs.exists(path):
            self._fs.rm(path, recursive=True)

    def check(self) -> None:
        """Raises `StorageError` unless a blob can be written, read and deleted."""
        key = f"check/{uuid.uuid4().hex}"
        try:
            self.write(key, b"ok")
            sound = self.read(key) == b"ok"
            self.delete(key)
        except OSError as error:
            raise StorageError(f"The blob store at {self._root} cannot be used: {error}.") from error
        if not sound:
            raise StorageError(f"The blob store at {self._root} gives back other bytes than it was given.")

    def _path(self, key: str) -> str:
        return f"{self._root}/{checked(key)}"

    def _write_file(self, key: str, pieces: Iterable[bytes]) -> int:
        path = Path(self._path(key))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name[:150]}.{uuid.uuid4().hex}{_PARTIAL}")
        try:
            with partial.open("wb") as file:
                size = sum(file.write(piece) for piece in pieces)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return size

    def _write_object(self, key: str, pieces: Iterable[bytes]) -> int:
        # By way of a file: an upload that was begun could not be taken back when a piece fails to come.
        with tempfile.NamedTemporaryFile() as file:
            size = sum(file.write(piece) for piece in pieces)
            file.flush()
            self._fs.put_file(file.name, self._path(key))
        return size


_PARTIAL = ".partial"


def checked(key: str) -> str:
    """The key; raises `UsageError` where it could lead out of the store or be read in two ways."""
    if len(key) > 500 or not all(_PART.fullmatch(part) for part in key.split("/")) or key.endswith(_PARTIAL):
        raise UsageError(f"{key[:100]!r} cannot be the key of a blob.")
    return key


def _is_folder(address: str) -> bool:
    return "://" not in address or address.startswith("file://")


def _filesystem(address: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    try:
        filesystem, root = url_to_fs(address)
    except ImportError as error:
        scheme = address.partition("://")[0]
        raise SettingsError(f"Nothing is installed that reaches {scheme}:// storage.", hint=str(error)) from error
    except ValueError as error:
        raise SettingsError(f"The storage address {address!r} cannot be used: {error}.") from error
    return filesystem, str(root).rstrip("/")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_BLOCK):
            yield piece
