"""Copies of blobs on this machine's disk, where the store is elsewhere: those used last, up to a size."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

#: A copy that was used a moment ago is being read, perhaps: it stays, seconds.
_IN_USE = 60.0


class Copies:
    """Copies in ``folder`` that are kept under ``limit`` bytes. Several threads and processes may share it."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit

    def find(self, key: str) -> Path | None:
        """The copy of a blob, noting its use; None where there is none."""
        path = self._path(key)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def add(self, key: str, pieces: Iterable[bytes]) -> Path:
        """Keep a copy, which nobody sees before it is complete, and make room for it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(key)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as file:
            partial = Path(file.name)
            try:
                _pour(pieces, file)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        partial.replace(path)
        self._make_room()
        return path

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.tif"

    def _make_room(self) -> None:
        """Delete the copies that were not used for longest, until the others are within the limit."""
        found = []
        for entry in os.scandir(self._folder):
            with suppress(FileNotFoundError):  # another process makes room as well
                state = entry.stat()
                found.append((state.st_mtime, state.st_size, entry.path))
        total, now = sum(size for _, size, _ in found), time.time()
        for used, size, path in sorted(found):
            if total <= self._limit or used > now - _IN_USE:
                return
            Path(path).unlink(missing_ok=True)
            total -= size


def _pour(pieces: Iterable[bytes], file: IO[bytes]) -> None:
    for piece in pieces:
        file.write(piece)


def pieces_of(path: Path, size: int = 1 << 20) -> Iterable[bytes]:
    """A file in pieces."""
    with path.open("rb") as file:
        while piece := file.read(size):
            yield piece
