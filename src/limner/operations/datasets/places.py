"""Where the files of somebody's dataset are: a folder, a zip file, or a single file beside its images.

Files are named by their paths inside the place. Nothing outside of it can be named, and nothing is unpacked.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from zipfile import ZipInfo

from limner.core.errors import FormatError, SourceError, TooLargeError, UsageError
from limner.core.settings import Settings
from limner.sources.images.magic import HEAD, Media, identify
from limner.sources.naming import is_hidden, natural_key, plain_text
from limner.sources.zip import Archive, escapes, refuse_bomb

#: Most files in one place.
MOST_FILES = 1_000_000


class Place(Protocol):
    """Files that can be read by their paths."""

    #: What people call it.
    name: str
    #: Paths of all files with forward slashes, in natural order.
    paths: tuple[str, ...]
    #: What is there and is not read, and why.
    problems: list[str]

    def read(self, path: str) -> bytes:
        """The content of a file; raises `SourceError`."""


@dataclass(slots=True)
class Folder:
    """The files below a folder. Links that lead out of it are not followed."""

    root: Path
    limit: int
    name: str = ""
    paths: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, root: Path, settings: Settings) -> Folder:
        """A folder; raises `TooLargeError` where it has too many files."""
        made = cls(root, settings.fetch_max_bytes, plain_text(root.resolve().name))
        found: list[str] = []
        for here, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not is_hidden(name)]
            below = [Path(here, name) for name in names if not is_hidden(name)]
            found += [path.relative_to(root).as_posix() for path in below if made._is_inside(path)]
            if len(found) > MOST_FILES:
                raise _too_many(made.name)
        made.paths = tuple(sorted(found, key=natural_key))
        return made

    def _is_inside(self, path: Path) -> bool:
        if path.is_symlink() and not path.resolve().is_relative_to(self.root.resolve()):
            self.problems.append(f"{plain_text(path.name)} is a link that leads out of the folder, and is not read.")
            return False
        return path.is_file()

    def read(self, path: str) -> bytes:
        """The content of a file."""
        return _read(self.root / path, self.limit)


@dataclass(slots=True)
class Alone:
    """A single file of annotations, and the folder in which its images are."""

    file: Path
    images: Folder
    name: str = ""
    paths: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, file: Path, images: Path, settings: Settings) -> Alone:
        """A file of annotations; whatever else of that kind lies beside it is passed over."""
        folder = Folder.open(images, settings)
        kept = [path for path in folder.paths if Path(path).suffix.lower() not in TEXTS]
        return cls(file, folder, plain_text(file.stem), (plain_text(file.name), *kept), folder.problems)

    def read(self, path: str) -> bytes:
        """The content of a file."""
        return _read(self.file, self.images.limit) if path == self.paths[0] else self.images.read(path)


#: What files of annotations end in.
TEXTS = frozenset({".json", ".jsonl", ".xml", ".txt", ".csv", ".yaml", ".yml", ".names"})


@dataclass(slots=True)
class Zipped:
    """The files in a zip file, read one by one when it is their turn."""

    archive: Archive
    limit: int
    name: str = ""
    paths: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)
    entries: Mapping[str, ZipInfo] = field(default_factory=dict)
    #: Files that stand in for those in the zip file, by their paths.
    extra: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, name: str, settings: Settings, extra: Mapping[str, bytes] | None = None) -> Zipped:
        """A zip file; raises `SourceError` where it is none, or would unpack to far more than images do."""
        try:
            archive = Archive(path, name, None)
        except Exception as error:
            raise SourceError(f"{name} cannot be opened as a zip file: {error}.") from error
        refuse_bomb(archive, settings)
        made = cls(archive, settings.fetch_max_bytes, plain_text(Path(name).stem), extra=dict(extra or {}))
        found = made._usable()
        root = _only_folder(found)
        made.entries = {path.removeprefix(root): info for path, info in found.items()}
        made.paths = tuple(sorted({*made.entries, *made.extra}, key=natural_key))
        return made

    def _usable(self) -> dict[str, ZipInfo]:
        found: dict[str, ZipInfo] = {}
        entries = self.archive.entries()
        if len(entries) > MOST_FILES:
            raise _too_many(self.name)
        for info in entries:
            name = info.filename
            if escapes(name):
                self.problems.append(f"The entry {plain_text(name)[:200]} leads out of the zip file, and is not read.")
            elif stat.S_ISLNK(info.external_attr >> 16):
                self.problems.append(f"The entry {plain_text(name)[:200]} is a link, and is not read.")
            elif name in found:
                self.problems.append(f"There are two entries {plain_text(name)[:200]}: the first was taken.")
            elif not is_hidden(name):
                found[name] = info
        return found

    def read(self, path: str) -> bytes:
        """The content of an entry."""
        return self.extra[path] if path in self.extra else self.archive.read(self.entries[path], self.limit)


def open_place(path: Path, settings: Settings, images: Path | None = None) -> Place:
    """The place behind a path; ``images`` is where those of a single file are. Raises `UsageError`."""
    if path.is_dir():
        return Folder.open(path, settings)
    if not path.is_file():
        raise UsageError(f"There is no file or folder {path}.")
    with path.open("rb") as file:
        if identify(file.read(HEAD)) is Media.ZIP:
            return Zipped.open(path, path.name, settings)
    return Alone.open(path, images or path.parent, settings)


def text_of(place: Place, path: str) -> str:
    """The text in a file; raises `FormatError` where it is no UTF-8."""
    try:
        return io.TextIOWrapper(io.BytesIO(place.read(path)), encoding="utf-8-sig").read()
    except UnicodeDecodeError as error:
        raise FormatError(f"{plain_text(path)} is no UTF-8 text: {error}.") from error


def _read(path: Path, limit: int) -> bytes:
    name = plain_text(path.name)
    try:
        size = path.stat().st_size
        if size > limit:
            raise TooLargeError(
                f"{name} has {size:,} bytes; {limit:,} are read at most.",
                hint="The setting fetch_max_bytes says how many.",
            )
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror or error}.") from error


def _only_folder(found: Mapping[str, ZipInfo]) -> str:
    """The folder that everything in a zip file is in, with its slash, which says nothing; else nothing."""
    tops = {name.partition("/")[0] for name in found}
    nested = all("/" in name for name in found)
    with suppress(KeyError):
        top = tops.pop()
        return f"{top}/" if nested and not tops else ""
    return ""


def _too_many(name: str) -> TooLargeError:
    return TooLargeError(f"{name} has more than {MOST_FILES:,} files.", hint="Take it in part by part.")
