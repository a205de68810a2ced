"""Where the parts of a checkpoint lie in its file: a torch archive, an old torch file, or a plain pickle.

Nothing is unpacked: ``torch.save`` stores the parts of its archives as they are, so that a compressed part
is no part of a checkpoint, and every part is a view of the file. The sizes that headers name are held
against the size of the file before anything is made of them.
"""

from __future__ import annotations

import mmap
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from limner.core.errors import CheckpointError

#: Bytes of the list of contents; 20,000 parts with long names need no more.
_LONGEST_LIST = 8 << 20
_END = b"PK\x05\x06"
_FAR_END = b"PK\x06\x07"


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that ``torch.save`` has written."""

    #: The pickle.
    main: memoryview
    #: The runs of numbers, by their key.
    parts: dict[str, memoryview]


def map_file(path: Path) -> memoryview:
    """The bytes of a file, read only where they are looked at; raises `CheckpointError`.

    Writing to them changes a private copy: torch wants memory that can be written to.
    """
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError) as error:  # mmap refuses empty files with ValueError
        raise CheckpointError(f"{path.name} cannot be read: {error}.") from error


def open_archive(data: memoryview, path: Path) -> Archive:
    """The parts of a torch archive; raises `CheckpointError`."""
    _check_contents(data, path.name)
    try:
        with zipfile.ZipFile(path) as opened:
            parts = {entry.filename: _part(data, entry) for entry in opened.infolist()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OSError) as error:
        raise CheckpointError(f"{path.name} is damaged: {error}.") from error
    if sum(map(len, parts.values())) > len(data):
        raise CheckpointError(f"{path.name} is refused: its parts overlap.")
    return _sorted(parts, path.name)


def _sorted(parts: dict[str, memoryview], name: str) -> Archive:
    """The parts by what they are; raises `CheckpointError` where the pickle is missing."""
    if any(part.endswith("/constants.pkl") for part in parts):
        raise CheckpointError(
            f"{name} is a TorchScript archive, which holds a program.", hint="Bring what torch.save wrote, or ONNX."
        )
    mains = [part for part in parts if part == "data.pkl" or (part.endswith("/data.pkl") and part.count("/") == 1)]
    if len(mains) != 1:
        raise CheckpointError(f"{name} is no file of torch: there is no data.pkl in it.")
    root = mains[0].removesuffix("data.pkl")
    if bytes(parts.get(f"{root}byteorder", b"little")).strip() != b"little":
        raise CheckpointError(f"{name} was written on a machine with another order of bytes.", hint="Save it anew.")
    folder = f"{root}data/"
    return Archive(
        parts[mains[0]], {part.removeprefix(folder): view for part, view in parts.items() if part.startswith(folder)}
    )


def _check_contents(data: memoryview, name: str) -> None:
    """Look at the end of an archive, before anybody reads the list of contents that it announces."""
    size = contents_size(data)
    if size is None:
        raise CheckpointError(f"{name} is cut off: the list of its contents is missing.")
    if size > min(_LONGEST_LIST, len(data)):
        raise CheckpointError(f"{name} is refused: it announces a list of contents of {size} bytes.")


def contents_size(data: memoryview) -> int | None:
    """How long the list of contents of a zip file is, bytes; None where there is none.

    Python's own reader takes in the whole list, however long it is.
    """
    tail = bytes(data[-65_557:])
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        return None
    size, start = struct.unpack("<II", tail[at + 12 : at + 20])
    if size != 0xFFFFFFFF and start != 0xFFFFFFFF:
        return int(size)
    # An archive of more than 4 GB says it elsewhere.
    if at < 20 or tail[at - 20 : at - 16] != _FAR_END:
        return None
    place: int = struct.unpack("<Q", tail[at - 12 : at - 4])[0]
    return int(struct.unpack("<Q", data[place + 40 : place + 48])[0]) if place + 56 <= len(data) else None


def _part(data: memoryview, entry: zipfile.ZipInfo) -> memoryview:
    """One part as a view of the file; raises ``ValueError``."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise ValueError(f"{entry.filename[:80]!r} in it is compressed or encrypted, which torch.save never does")
    head = data[entry.header_offset : entry.header_offset + 30]
    if bytes(head[:4]) != b"PK\x03\x04" or entry.file_size != entry.compress_size:
        raise ValueError(f"{entry.filename[:80]!r} in it is not where it should be")
    name, extra = struct.unpack("<HH", head[26:30])
    begin = entry.header_offset + 30 + name + extra
    if begin + entry.file_size > len(data):
        raise ValueError(f"{entry.filename[:80]!r} says that it has {entry.file_size} bytes, more than the file")
    return data[begin : begin + entry.file_size]
