"""Who this process is to the others: the same each time it starts, and never two at once.

A file in the data folder holds the name, and a lock on it says that it is taken. After a crash the
process comes back under its old name, and finds at once what it had been working on.
"""

from __future__ import annotations

import socket
import sys
import uuid
from pathlib import Path
from typing import IO

from limner.core.errors import ConflictError

#: More processes than anybody starts on one machine.
_MOST = 256


class Identity:
    """A name that no other process has while this one holds it."""

    def __init__(self, folder: Path) -> None:
        self.host = _host()
        self._file = _first_free(folder / "workers", self.host)
        self.id = f"{self.host}-{_name(self._file)}"

    def release(self) -> None:
        """Let another process have the name."""
        self._file.close()


def _host() -> str:
    """The machine's name, in characters that every file system takes."""
    name = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in socket.gethostname())
    return name[:100] or "host"


def _first_free(folder: Path, host: str) -> IO[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(_MOST):
        file = (folder / f"{host}-{number}.lock").open("a+", encoding="ascii")
        if _lock(file):
            return file
        file.close()
    raise ConflictError(f"There are {_MOST} workers on this machine already, with the data in {folder.parent}.")


def _name(file: IO[str]) -> str:
    file.seek(0)
    if name := file.read().strip():
        return name
    name = uuid.uuid4().hex[:12]
    file.write(name)
    file.flush()
    return name


def _lock(file: IO[str]) -> bool:
    """Take the lock that goes with an open file, and with its process, however that ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 20)  # beyond the name, which could not be read otherwise
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
