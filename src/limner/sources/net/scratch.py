"""The folder of the files that one downloader has handed out.

They are hard links into the cache where there is one. So a file stays as long as it is in use,
whatever this process or another evicts, and costs no copy.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from limner.core.errors import SettingsError
from limner.sources.net.request import Download

if sys.platform != "win32":
    import fcntl

#: A folder younger than this is left alone: its owner may not have locked it yet. Seconds.
_YOUNG: Final = 3600.0
#: Where nothing can be locked, a folder older than this is taken for abandoned. Seconds.
_OLD: Final = 7 * 24 * 3600.0


class Scratch:
    """A folder of one's own, inside ``parent`` or else the system's temporary folder."""

    def __init__(self, parent: Path | None) -> None:
        try:
            if parent is not None:
                parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                _sweep(parent)
            self.folder = Path(tempfile.mkdtemp(prefix="limner-", dir=parent))
            self._lock = (self.folder / "lock").open("wb")
        except OSError as error:
            raise SettingsError(
                f"Downloads cannot be written to {parent or tempfile.gettempdir()}: {error.strerror}.",
                hint="Name another folder in LIMNER_DATA.",
            ) from error
        _try_lock(self._lock)
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def new(self) -> Path:
        """The path of a file that is not there yet."""
        return self.folder / secrets.token_hex(8)

    def keep(self, download: Download) -> Download:
        """Have a file removed when its download is no longer referenced."""
        weakref.finalize(download, _forget, download.path).atexit = False
        return download

    def close(self) -> None:
        """Remove all files."""
        self._lock.close()
        self._remove()


def link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no links; raises `FileExistsError`."""
    try:
        os.link(source, target)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
        shutil.copyfile(source, part)
        part.replace(target)


def _forget(path: Path) -> None:
    # The folder may be gone already, or the file still be open on systems that mind.
    with suppress(OSError):
        path.unlink()


def _sweep(parent: Path) -> None:
    """Remove the folders of processes that ended without doing so."""
    for folder in parent.glob("limner-*"):
        with suppress(OSError):  # another process may be sweeping too
            if time.time() - folder.stat().st_mtime > _YOUNG and _abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    if sys.platform == "win32":
        return time.time() - folder.stat().st_mtime > _OLD
    with (folder / "lock").open("ab") as lock:
        return _try_lock(lock)


def _try_lock(file: BinaryIO) -> bool:
    """Lock a file for this process; it is free again when the process ends, however it ends."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
