"""Documents as bytes to be sent: one file of a format as it is written, or several in a zip."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from limner.annotations.document import Document
from limner.annotations.formats.protocol import Format, OutputFile
from limner.core.errors import FormatError
from limner.operations.outputs import safe_name, unique_name

#: Bytes that are sent at one time.
_BLOCK = 1 << 16
#: A zip that is smaller than this does not touch the disk, bytes.
_IN_MEMORY = 4 << 20


@dataclass(frozen=True, slots=True)
class Rendered:
    """Something to be sent. Its content is made while it is read, in the thread that reads it."""

    media_type: str
    file_name: str
    chunks: Iterator[bytes]


def render(format_: Format, documents: Sequence[Document], name: str) -> Rendered:
    """One file where the format makes one of a document and there is one document; else a zip called ``name``."""
    if len(documents) == 1 and not format_.per_page:
        return render_first(format_, documents[0])
    return Rendered("application/zip", f"{safe_name(name)}-{format_.name}.zip", _zipped(_files(format_, documents)))


def render_first(format_: Format, document: Document) -> Rendered:
    """The first file of a document, alone: the only one where the document has one page."""
    file = next(format_.render(document))
    return Rendered(format_.media_type, PurePosixPath(file.path).name, _encoded(file.chunks))


def _files(format_: Format, documents: Sequence[Document]) -> Iterator[OutputFile]:
    """All files; those of several documents in a folder each."""
    taken: set[str] = set()
    for document in documents:
        folder = f"{unique_name(safe_name(document.title, 'document'), taken)}/" if len(documents) > 1 else ""
        for file in format_.render(document):
            yield OutputFile(folder + _inside(file.path), file.chunks)


def _inside(path: str) -> str:
    """A relative path that stays inside the folder that it is unpacked to."""
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts:
        raise FormatError(f"A format wants to write to {path!r}, outside of its folder.")
    return str(relative)


def _encoded(chunks: Iterable[str]) -> Iterator[bytes]:
    """Text as UTF-8, in blocks of a size worth sending."""
    waiting, size = list[bytes](), 0
    for chunk in chunks:
        data = chunk.encode()
        waiting.append(data)
        size += len(data)
        if size >= _BLOCK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _zipped(files: Iterable[OutputFile]) -> Iterator[bytes]:
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        with zipfile.ZipFile(spool, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                _add(archive, file)
        spool.seek(0)
        while block := spool.read(_BLOCK):
            yield block


def _add(archive: zipfile.ZipFile, file: OutputFile) -> None:
    entry = zipfile.ZipInfo(file.path)  # without the time: the same content gives the same bytes
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    with archive.open(entry, "w", force_zip64=True) as out:
        for block in _encoded(file.chunks):
            out.write(block)
