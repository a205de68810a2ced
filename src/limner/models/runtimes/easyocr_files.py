"""EasyOCR's files of weights: known by their MD5, found in its folder, or fetched from where EasyOCR has them."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from limner.core.errors import LimnerError, ModelError
from limner.models.filelock import locked
from limner.models.protocol import Sender

#: The largest file of weights has 216 MB.
_LARGEST = 1_000_000_000
#: Seconds for one download.
_PATIENCE = 600.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file of weights."""

    name: str
    #: Of its content, hexadecimal.
    md5: str
    #: Where a zip file with it can be had; None for nowhere.
    url: str | None


def found_or_fetched(file: WeightFile, folder: Path, send: Sender | None) -> Path:
    """The file, by its own name or by its MD5; raises `ModelError` where it is neither there nor to be had."""
    paths = [folder / file.name, folder / f"{file.md5}{Path(file.name).suffix}"]
    with locked(folder / ".limner.lock"):
        others = []
        for path in paths:
            if path.is_file():
                if md5_of(path) == file.md5:
                    return path
                others.append(path)
        if others and file.url is None:
            raise ModelError(f"{others[0]} is not the file with the MD5 {file.md5}.")
        return fetch(file, folder, send)


def fetch(file: WeightFile, folder: Path, send: Sender | None) -> Path:
    """Download a file into the folder; raises `ModelError`."""
    if file.url is None or send is None:
        raise ModelError(f"{folder} has no {file.name} with the MD5 {file.md5}.", hint="Put the file there.")
    try:
        data = _member(_download(file.url, send), file)
    except LimnerError as error:
        raise ModelError(
            f"{file.name}, weights of EasyOCR, is not in {folder} and could not be fetched: {error.message}",
            hint=f"With a network it is fetched once. Without one, unpack {file.url} elsewhere and put it there.",
        ) from error
    path = folder / file.name
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(data)
    partial.replace(path)
    return path


def md5_of(path: Path) -> str:
    """MD5 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _download(url: str, send: Sender) -> bytes:
    """What lies at an address; redirects are followed, each past the guard."""
    for _ in range(_MOST_REDIRECTS + 1):
        reply = send("GET", url, {}, b"", _PATIENCE)
        if reply.status in _REDIRECTS and reply.headers.get("location"):
            url = urljoin(url, reply.headers["location"])
            continue
        if reply.status != 200:
            raise ModelError(f"the server answered with status {reply.status}.")
        return reply.body
    raise ModelError("the server sends from one address to the next.")


def _member(archive: bytes, file: WeightFile) -> bytes:
    """The file in a zip file, if it is the one that is meant."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened, opened.open(file.name) as member:
            data = member.read(_LARGEST + 1)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ModelError(f"what came is no zip file with {file.name} in it: {error}.") from error
    if len(data) > _LARGEST or hashlib.md5(data, usedforsecurity=False).hexdigest() != file.md5:
        raise ModelError("what came has another MD5 than EasyOCR says.")
    return data
