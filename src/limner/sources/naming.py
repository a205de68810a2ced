"""Order and names of pages that come from files: as people count, and each name once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TypeAlias

#: A part of a sort key: text, or the length and digits of a number.
_Part: TypeAlias = tuple[str, int, str]

#: What no file name may hold: on Windows, in a terminal, or in a line of a list.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u2028\u2029\ufffd]+')
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NUMBER = re.compile(r"([0-9]+)")
#: Bytes of a name without its suffix: file systems take 255 in all, and something may be added.
_LONGEST = 200
_HIDDEN = frozenset({"__MACOSX", "@eaDir"})


def natural_key(path: str) -> tuple[tuple[tuple[_Part, ...], ...], str]:
    """A sort key that puts ``page 2`` before ``page 10``, folder by folder, capitals aside."""
    return tuple(_parts(part) for part in path.split("/")), path


def _parts(text: str) -> tuple[_Part, ...]:
    # Numbers are compared as text without leading zeros, the longer one last: they may have any length.
    pieces = _NUMBER.split(text.casefold())
    return tuple(
        ("", len(number := piece.lstrip("0")), number) if at % 2 else (piece, 0, "") for at, piece in enumerate(pieces)
    )


def is_hidden(path: str) -> bool:
    """Whether a file, or a folder that it is in, is not meant to be seen."""
    return any(part.startswith(".") or part in _HIDDEN for part in path.split("/"))


def plain_text(path: str) -> str:
    """A path as text that can be written and shown anywhere.

    Bytes that are no UTF-8 become ``\\xe9``, and so do control characters, which can drive a terminal.
    """
    return _ODD.sub(lambda match: _escaped(ord(match[0])), path)


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte of a file name that is no UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def safe_name(text: str, default: str = "page") -> str:
    """A file name without anything that a file system, a terminal or a list could stumble over."""
    stem, suffix = split_suffix(_UNSAFE.sub("_", plain_text(text)).strip(" ."))
    # Of a long name the end is kept, where the number of the page is.
    stem = stem.encode()[-_LONGEST:].decode(errors="ignore")
    return f"{stem or default}{suffix}"


def split_suffix(name: str) -> tuple[str, str]:
    """A path or file name in two: up to its last dot, and from there on (at most eight characters)."""
    suffix = PurePosixPath(name).suffix
    return (name.removesuffix(suffix), suffix) if len(suffix) <= 8 else (name, "")


def numbered(name: str, number: int) -> str:
    """The name of one page of a file: ``scan.tif`` and 3 give ``scan_0003.tif``."""
    stem, suffix = split_suffix(name)
    return f"{stem}_{number:04d}{suffix}"


def with_page(text: str, number: int) -> str:
    """A path or id with the number of a page in that file, from 1; as it is for 0, where there is one page."""
    return f"{text}#page={number}" if number else text


def unique_names(paths: Sequence[str]) -> list[str]:
    """A file name for each path, none of them twice in any capitals.

    The last part is enough where only one path has it; else the folders come in front, and where that
    is not enough, a number behind.
    """
    short = [safe_name(path.rpartition("/")[2]) for path in paths]
    often = Counter(name.casefold() for name in short)
    names = [
        name if often[name.casefold()] == 1 else safe_name(path.replace("/", "_"))
        for name, path in zip(short, paths, strict=True)
    ]
    return _told_apart(names)


def _told_apart(names: Sequence[str]) -> list[str]:
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    out = []
    for name in names:
        stem, suffix = split_suffix(name)
        unique = name
        while unique.casefold() in taken:
            numbers[name] += 1
            unique = f"{stem}-{numbers[name] + 1}{suffix}"
        taken.add(unique.casefold())
        out.append(unique)
    return out
