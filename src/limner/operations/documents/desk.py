"""The documents of a workspace, as people work with them: taken in, looked at, corrected, handed out."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from limner.annotations.annotation import Annotation, ByPerson, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.page import Page
from limner.core.errors import NotFoundError, UsageError
from limner.jobs.housekeeping import document_images
from limner.operations.documents.ingest import Staged, stage
from limner.operations.documents.uploads import SUFFIXES, Upload, save_uploads, upload_names
from limner.sources.images.magic import Media
from limner.sources.naming import split_suffix
from limner.sources.protocol import Skipped, SourceContext
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.documents import Documents, NewDocument, Revision, StoredDocument, StoredPage

#: Under this key of a document's metadata stands what we note of it ourselves.
_OURS = "limner"
#: Most entries of what was skipped that are kept.
_MOST_SKIPPED = 100
_MEDIA_TYPES = {
    SUFFIXES[media]: f"image/{name}"
    for media, name in {
        Media.JPEG: "jpeg",
        Media.PNG: "png",
        Media.WEBP: "webp",
        Media.GIF: "gif",
        Media.AVIF: "avif",
    }.items()
}
_JOB_AUTHOR = re.compile(r"job:[0-9a-f]{32}")
#: Formats of text that a manifest links to.
_LINKED = (("alto", "ALTO XML, zipped"), ("page", "PAGE XML, zipped"))


@dataclass(frozen=True, slots=True)
class PageImage:
    """The image of a page, as a blob."""

    key: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one revision changed, against the one before."""

    revision: Revision
    added: int
    removed: int
    changed: int


class DocumentDesk:
    """The documents of one workspace. All methods block."""

    def __init__(self, database: Database, blobs: Blobs, context: SourceContext, workspace_id: str) -> None:
        self.stored = Documents(database, workspace_id)
        self._blobs = blobs
        self._context = context

    def take_in(self, uploads: Sequence[Upload], *, title: str | None, kind: str | None, author: str) -> StoredDocument:
        """Make a document of some files; raises `SourceError` where no page of them can be read."""
        with tempfile.TemporaryDirectory(prefix="limner-upload-") as name:
            folder = Path(name)
            staged = stage(save_uploads(uploads, folder), folder, self._context)
            title = title or split_suffix(upload_names(uploads)[0])[0]
            document = self.stored.create(_new(staged, title, kind, upload_names(uploads)), author=author)
            try:
                self._keep(document.id, staged)
            except BaseException:
                self.delete(document.id)
                raise
        return document

    def _keep(self, document_id: str, staged: Staged) -> None:
        for entry in staged.pages:
            self._write(f"{document_images(document_id)}/{entry.path.name}", entry.path)
        for number, original in enumerate(staged.originals):
            suffix = SUFFIXES[original.media]
            self._write(f"{_folder(document_id)}/originals/{number}{suffix}", original.path)

    def _write(self, key: str, path: Path) -> None:
        with path.open("rb") as file:
            self._blobs.write(key, iter(lambda: file.read(1 << 20), b""))

    def delete(self, document_id: str) -> None:
        """Forget a document with its annotations, their history, and its images; raises `NotFoundError`."""
        self.stored.delete(document_id)
        self._blobs.delete_all(_folder(document_id))

    def page(self, document_id: str, index: int) -> StoredPage:
        """A page by its position, from 0; raises `NotFoundError`."""
        found = self.stored.pages(document_id, after=index - 1, limit=1)
        if not found or found[0].page.index != index:
            raise NotFoundError(f"The document {document_id} has no page {index}; pages are counted from 0.")
        return found[0]

    def image(self, document_id: str, index: int) -> PageImage:
        """The image of a page; raises `NotFoundError`."""
        stored = self.page(document_id, index)
        key = image_key(document_id, stored)
        if key is None or not self._blobs.exists(key):
            raise NotFoundError(f"The image of page {index} is not kept any more.")
        return PageImage(key, _MEDIA_TYPES.get(f".{key.rpartition('.')[2]}", "application/octet-stream"))

    def document(self, document_id: str, root: str) -> Document:
        """A document for the writers of formats; addresses in it begin with ``root``, the server's own."""
        stored = self.stored.get(document_id)
        base = f"{root}/v1/documents/{document_id}"
        links: list[Json] = [
            {"id": f"{base}/export?format={name}", "label": label, "format": "application/zip"}
            for name, label in _LINKED
        ]
        return Document(
            id=document_id,
            title=stored.title,
            pages=_Pages(self.stored, document_id, base),
            rights=stored.rights,
            metadata={**public_metadata(stored), "base": base, "rendering": links},
        )

    def annotations(self, document_id: str, index: int) -> tuple[Sequence[Annotation], int]:
        """The annotations of a page, and the revision they are at."""
        return self.stored.annotations(document_id, self.page(document_id, index).page.id)

    def at_revision(self, document_id: str, index: int, revision: int) -> Sequence[Annotation]:
        """The annotations of a page as they were; raises `NotFoundError`."""
        return self.stored.at_revision(document_id, self.page(document_id, index).page.id, revision)

    def correct(
        self,
        document_id: str,
        index: int,
        annotations: Sequence[Annotation],
        *,
        seen: int,
        author: str,
        comment: str | None = None,
    ) -> int:
        """Replace the annotations of a page by what a person made of them; the new revision.

        What the person changed or added is theirs, the rest keeps its origin. Raises `ConflictError`
        where ``seen`` is not the newest revision any more.
        """
        if len({annotation.id for annotation in annotations}) < len(annotations):
            raise UsageError("Two annotations of a page cannot have the same id.")
        page_id = self.page(document_id, index).page.id
        known = {annotation.id: annotation for annotation in self.stored.annotations(document_id, page_id)[0]}
        signed = [_signed(annotation, known.get(annotation.id), author) for annotation in annotations]
        return self.stored.save(document_id, page_id, signed, seen=seen, author=author, comment=comment)

    def history(self, document_id: str, index: int, *, limit: int) -> Iterator[Change]:
        """The last changes of a page, the newest first."""
        page_id = self.page(document_id, index).page.id
        for revision in self.stored.history(document_id, page_id)[:limit]:
            before = self.stored.at_revision(document_id, page_id, revision.number - 1)
            yield _change(revision, before, self.stored.at_revision(document_id, page_id, revision.number))


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages of a document, read anew each time, their images at their addresses on this server."""

    stored: Documents
    document_id: str
    base: str

    def __iter__(self) -> Iterator[AnnotatedPage]:
        for annotated in self.stored.annotated(self.document_id):
            yield replace(annotated, page=self._located(annotated.page))

    def _located(self, page: Page) -> Page:
        return replace(page, source=f"{self.base}/pages/{page.index}/image")


def image_key(document_id: str, page: StoredPage) -> str | None:
    """The blob of a page's image; None where it is not kept."""
    return None if page.image is None else f"{document_images(document_id)}/{page.image}"


def public_metadata(document: StoredDocument) -> dict[str, Json]:
    """What is known of a document besides its title, without our own notes."""
    return {key: value for key, value in document.metadata.items() if key != _OURS}


def page_count(document: StoredDocument) -> int:
    """How many pages a document has."""
    return int(_noted(document).get("pages", 0))


def skipped_of(document: StoredDocument) -> list[dict[str, Json]]:
    """What of the files could not be read, and why."""
    return list(_noted(document).get("skipped", ()))


def by_job(author: str) -> bool:
    """Whether this is how a job signs its annotations."""
    return bool(_JOB_AUTHOR.fullmatch(author))


def _noted(document: StoredDocument) -> Mapping[str, Any]:
    noted: Mapping[str, Any] = document.metadata.get(_OURS, {})
    return noted


def _folder(document_id: str) -> str:
    return document_images(document_id).rpartition("/")[0]


def _new(staged: Staged, title: str, kind: str | None, names: Sequence[str]) -> NewDocument:
    skipped: list[Json] = [_plain(entry) for entry in staged.skipped[:_MOST_SKIPPED]]
    return NewDocument(
        title=title,
        pages=[(entry.page, entry.path.name) for entry in staged.pages],
        source=", ".join(names)[:2000],
        type=kind,
        metadata={_OURS: {"pages": len(staged.pages), "skipped": skipped}},
    )


def _plain(entry: Skipped) -> dict[str, Json]:
    return {"where": entry.where, "reason": entry.reason}


def _signed(new: Annotation, known: Annotation | None, author: str) -> Annotation:
    if known is not None and replace(new, provenance=known.provenance) == known:
        return known
    return replace(new, provenance=ByPerson(author))


def _change(revision: Revision, before: Sequence[Annotation], after: Sequence[Annotation]) -> Change:
    old, new = ({annotation.id: annotation for annotation in state} for state in (before, after))
    changed = sum(old[key] != new[key] for key in old.keys() & new.keys())
    return Change(revision, len(new.keys() - old.keys()), len(old.keys() - new.keys()), changed)
