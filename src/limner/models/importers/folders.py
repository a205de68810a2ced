"""Models that come as several files: in a folder, or in a zip file of one."""

from __future__ import annotations

import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from limner.core.errors import BundleError

_MOST_ENTRIES = 64
#: Bytes of all files together; the largest model of the field has 1 GB.
_LARGEST = 4 << 30
#: Weights hardly get smaller: what shrinks by more is no model.
_MOST_SHRUNK = 50
_CHUNK = 1 << 20
#: What a damaged or encrypted archive makes Python raise.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, ValueError, OSError, RuntimeError, EOFError,
)  # fmt: skip


def zipped_names(path: Path) -> list[str]:
    """Names of the files in a zip file, without their folders; empty where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [PurePosixPath(entry.filename).name for entry in archive.infolist()[:_MOST_ENTRIES]]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return []


@contextmanager
def as_folder(path: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """A folder as it is, or the files of a zip file that have certain suffixes, in a folder of their own for a while.

    Raises `BundleError` where the archive is damaged, too large, or has one name twice.
    """
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="limner-model-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                _extract(archive, suffixes, Path(folder), path.name)
        except _BROKEN as error:
            raise BundleError(f"{path.name} cannot be unpacked: {error}.") from error
        yield Path(folder)


def _extract(archive: zipfile.ZipFile, suffixes: Sequence[str], folder: Path, name: str) -> None:
    """Copy the files that are wanted, all into one folder."""
    entries = [
        entry
        for entry in archive.infolist()
        if PurePosixPath(entry.filename).suffix.lower() in suffixes and not entry.filename.startswith("__MACOSX/")
    ]
    if len(entries) > _MOST_ENTRIES:
        raise BundleError(f"{name} holds {len(entries)} files, and no model has so many.")
    if sum(entry.file_size for entry in entries) > _LARGEST:
        raise BundleError(f"{name} says that it has more than {_LARGEST >> 30} GB: too large.")
    for entry in entries:
        if entry.file_size > _MOST_SHRUNK * (entry.compress_size + _CHUNK):
            raise BundleError(f"{entry.filename[:80]!r} in {name} grows too much when it is unpacked.")
        target = folder / PurePosixPath(entry.filename).name
        if target.exists():
            raise BundleError(f"{name} holds {target.name!r} twice.")
        _copy(archive, entry, target)


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Unpack one file, but no more of it than its header says."""
    left = entry.file_size
    with archive.open(entry) as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise BundleError(f"{target.name} is larger than its archive says.")
            file.write(chunk)
