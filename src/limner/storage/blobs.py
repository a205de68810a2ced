"""Blobs: images, uploads, results. A local folder or any store that fsspec reaches (``s3://bucket/prefix``)."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from limner.core.errors import NotFoundError, UsageError
from limner.storage.database import StorageError
from limner.storage.filesystems import filesystem_at

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
        self._fs, self._root, self._failures = filesystem_at(str(self.local or text))

    def write(self, key: str, data: bytes | Iterable[bytes]) -> int:
        """Keep a blob, given whole or in pieces; its size in bytes. Nobody sees it before it is complete.

        Like everything else here it raises `StorageError` where the store cannot be used.
        """
        if self.local:
            return self._write_file(key, [data] if isinstance(data, bytes) else data)
        return self._write_object(key, data)

    def read(self, key: str) -> bytes:
        """A blob, whole; raises `NotFoundError`."""
        with self._asked(key):
            return cast("bytes", self._fs.cat_file(self._path(key)))

    def open(self, key: str) -> IO[bytes]:
        """A blob as a file that can be read and sought in; raises `NotFoundError`."""
        with self._asked(key):
            return cast("IO[bytes]", self._fs.open(self._path(key), "rb"))

    def stream(self, key: str) -> Iterator[bytes]:
        """A blob in pieces; raises `NotFoundError` before the first."""
        return self._pieces(key, self.open(key))

    def size(self, key: str) -> int:
        """Bytes of a blob; raises `NotFoundError`."""
        with self._asked(key):
            return int(self._fs.info(self._path(key))["size"])

    def exists(self, key: str) -> bool:
        """Whether there is a blob of that key."""
        # Not by fsspec's own question: to that, a store that cannot be reached has nothing in it.
        try:
            with self._asked(key):
                return bool(self._fs.info(self._path(key))["type"] == "file")
        except NotFoundError:
            return False

    def path(self, key: str) -> Path | None:
        """Where the blob lies on this machine's disk; None where it does not."""
        path = self._path(key)
        return Path(path) if self.local else None

    def keys(self, prefix: str) -> list[str]:
        """The keys under a prefix (``jobs/<id>``), sorted."""
        with self._asked(prefix):
            found = self._fs.find(self._path(prefix))
        start = len(self._root) + 1
        return sorted(path[start:] for path in found if not path.endswith(_PARTIAL))

    def delete(self, key: str) -> None:
        """Forget a blob; no error where there is none."""
        if self.exists(key):
            with suppress(NotFoundError), self._asked(key):
                self._fs.rm_file(self._path(key))

    def delete_all(self, prefix: str) -> None:
        """Forget every blob under a prefix."""
        path = self._path(prefix)
        if self.local:
            shutil.rmtree(path, ignore_errors=True)
            return
        with suppress(NotFoundError), self._asked(prefix):
            self._fs.rm(path, recursive=True)

    def check(self) -> None:
        """Raises `StorageError` unless a blob can be written, read and deleted."""
        key = f"check/{uuid.uuid4().hex}"
        self.write(key, b"ok")
        try:
            sound = self.read(key) == b"ok"
        except NotFoundError as error:
            raise StorageError(f"The blob store at {self._root} does not give back what it was given.") from error
        self.delete(key)
        if not sound:
            raise StorageError(f"The blob store at {self._root} gives back other bytes than it was given.")

    @contextmanager
    def _asked(self, key: str) -> Iterator[None]:
        """What the store says, as errors of ours."""
        try:
            yield
        except FileNotFoundError as error:
            raise NotFoundError(f"There is no blob {key}.") from error
        except self._failures as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StorageError:
        return StorageError(f"The blob store at {self._root} cannot be used: {str(error).rstrip('.')}.")

    def _path(self, key: str) -> str:
        return f"{self._root}/{checked(key)}"

    def _write_file(self, key: str, pieces: Iterable[bytes]) -> int:
        path = Path(self._path(key))
        partial = path.with_name(f"{path.name[:150]}.{uuid.uuid4().hex}{_PARTIAL}")
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            file = partial.open("wb")
        try:
            with file:
                size = self._poured(pieces, file)
            with self._writing():
                partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return size

    def _write_object(self, key: str, data: bytes | Iterable[bytes]) -> int:
        path = self._path(key)
        if isinstance(data, bytes):
            with self._writing():
                self._fs.pipe_file(path, data)
            return len(data)
        # By way of a file: an upload that was begun could not be taken back when a piece fails to come.
        with tempfile.NamedTemporaryFile() as file:
            size = self._poured(data, file)
            file.flush()
            with self._writing():
                self._fs.put_file(file.name, path)
        return size

    def _poured(self, pieces: Iterable[bytes], file: IO[bytes]) -> int:
        """Bytes written; what goes wrong where the pieces come from is none of the store's faults."""
        size = 0
        for piece in pieces:
            with self._writing():
                size += file.write(piece)
        return size

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except self._failures as error:  # where one writes, a folder or bucket that is not there is one of them
            raise self._unusable(error) from error

    def _pieces(self, key: str, file: IO[bytes]) -> Iterator[bytes]:
        with file:
            while True:
                with self._asked(key):
                    piece = file.read(_BLOCK)
                if not piece:
                    return
                yield piece


_PARTIAL = ".partial"


def checked(key: str) -> str:
    """The key; raises `UsageError` where it could lead out of the store or be read in two ways."""
    if len(key) > 500 or not all(_PART.fullmatch(part) for part in key.split("/")) or key.endswith(_PARTIAL):
        raise UsageError(f"{key[:100]!r} cannot be the key of a blob.")
    return key


def _is_folder(address: str) -> bool:
    return "://" not in address or address.startswith("file://")
