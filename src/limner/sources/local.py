"""Looking at the disk: what is behind a path or a pattern.

A spec may be anything, such as a megabyte of base64: `os.path` answers False where `Path` raises, for names that
are too long and for folders that we may not look into.
"""

from __future__ import annotations

import glob
import os
import re
from itertools import islice
from pathlib import Path

from limner.core.errors import SourceError, TooLargeError
from limner.sources.images.magic import HEAD, IMAGES, Media, identify
from limner.sources.naming import is_hidden, natural_key, plain_text

#: Suffixes of files that are taken for images; what they are is seen when they are decoded.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".avif"}
    | {".jp2", ".jpx", ".jpf", ".j2k", ".j2c"}
)
_PATTERN = re.compile(r"[*?\[]")


def exists(spec: str) -> bool:
    """Whether there is something of that name, be it a link that leads nowhere."""
    return os.path.lexists(spec)


def is_file(spec: str) -> bool:
    """Whether this is a file."""
    return os.path.isfile(spec)  # noqa: PTH113


def is_folder(spec: str) -> bool:
    """Whether this is a folder."""
    return os.path.isdir(spec)  # noqa: PTH112


def is_image_file(spec: str) -> bool:
    """Whether this is a file that is called like an image, or begins like one."""
    return is_file(spec) and (Path(spec).suffix.lower() in SUFFIXES or media_of(spec) in IMAGES)


def media_of(spec: str) -> Media | None:
    """What a file is by its first bytes; None where they tell nothing or cannot be read."""
    return identify(head_of(spec)) if is_file(spec) else None


def head_of(spec: str) -> bytes:
    """The first bytes of a file; none where it cannot be read."""
    try:
        with Path(spec).open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def is_pattern(spec: str) -> bool:
    """Whether this has wildcards and is no name of a file itself."""
    return bool(_PATTERN.search(spec)) and "://" not in spec and not spec.startswith("data:") and not exists(spec)


def expand(pattern: str, limit: int) -> list[str]:
    """The files that fit a pattern, in natural order, or the folders where no file does.

    Hidden ones are passed over. Raises `SourceError` where nothing fits, `TooLargeError` where more than
    ``limit`` do.
    """
    matches = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
    found = [path for path in islice(matches, limit + 1) if not is_hidden(Path(path).name)]
    if len(found) > limit:
        raise too_many(pattern, limit)
    if not found:
        raise SourceError(f"No file fits the pattern {plain_text(pattern)}.")
    return sorted([path for path in found if not is_folder(path)] or found, key=natural_key)


def too_many(what: str, limit: int) -> TooLargeError:
    """The error for a source with more pages than the settings allow."""
    return TooLargeError(
        f"{plain_text(what)} has more than {limit:,} pages.", hint="The setting max_pages says how many are taken."
    )
