"""A kept document as viewers see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from limner.annotations.document import AnnotatedPage, Document
from limner.core.errors import NotFoundError
from limner.core.settings import Settings
from limner.operations.documents.desk import image_key, public_metadata
from limner.operations.images.shelf import Original
from limner.operations.publishing.places import Place
from limner.operations.publishing.published import published_document
from limner.sources.decode import EncodedBytes, decode_file
from limner.sources.protocol import Picture, Want
from limner.storage.blobs import Blobs
from limner.storage.documents import Documents, StoredPage

#: Most pages that are read at one time.
_BATCH = 500


class PublishedDocument:
    """A document of a workspace; raises `NotFoundError` where there is none of that id."""

    def __init__(self, documents: Documents, document_id: str, blobs: Blobs, settings: Settings) -> None:
        self._documents = documents
        self._stored = documents.get(document_id)
        self._blobs = blobs
        self._settings = settings
        self.title = self._stored.title

    def stamp(self) -> str:
        """By when it was changed last."""
        return f"{self._stored.id} {self._stored.updated_at.isoformat()}"

    def titles(self) -> Mapping[int, str]:
        """It is one document."""
        return {0: self.title}

    def document(self, number: int, place: Place) -> Document:
        """Itself; its pages are read anew each time."""
        self._check(number)
        stored = self._stored
        document = Document(
            id=stored.id,
            title=stored.title,
            pages=_Pages(self._documents, stored.id),
            rights=stored.rights,
            metadata=public_metadata(stored),
        )
        return published_document(document, number, place, place.base, served=True)

    def page(self, number: int, index: int) -> AnnotatedPage:
        """A page, by its position."""
        page = self._page(number, index).page
        return AnnotatedPage(page, self._documents.annotations(self._stored.id, page.id)[0])

    def original(self, number: int, index: int) -> Original:
        """The image of a page."""
        return self._original(self._page(number, index))

    def originals(self) -> Iterator[Original]:
        """The images of all pages that are kept."""
        last = -1
        while batch := self._documents.pages(self._stored.id, after=last, limit=_BATCH):
            yield from (self._original(page) for page in batch if page.image is not None)
            last += len(batch)

    def _page(self, number: int, index: int) -> StoredPage:
        self._check(number)
        found = self._documents.pages(self._stored.id, after=index - 1, limit=1)
        if not found or found[0].page.index != index:
            raise NotFoundError(f"There is no page {index}; pages are counted from 0.")
        return found[0]

    def _check(self, number: int) -> None:
        if number != 0:
            raise NotFoundError(f"There is no document {number} here.")

    def _original(self, page: StoredPage) -> Original:
        key = image_key(self._stored.id, page)
        if key is None:
            raise NotFoundError(f"The image of page {page.page.index} is not kept any more.")
        folder, _, name = key.rpartition("/")
        return Original(f"{folder}/tiles/{name}.tif", lambda: self._decode(key, page), lambda: self._blobs.exists(key))

    def _decode(self, key: str, page: StoredPage) -> Picture:
        name, path = page.page.name, self._blobs.path(key)
        if path is None:
            return EncodedBytes(self._blobs.read(key), self._settings, name=name).decode(Want())
        return decode_file(path, Want(), self._settings, name=name)


class _Pages:
    """The pages of a document with their annotations, read anew each time."""

    def __init__(self, documents: Documents, document_id: str) -> None:
        self._documents = documents
        self._document_id = document_id

    def __iter__(self) -> Iterator[AnnotatedPage]:
        return self._documents.annotated(self._document_id)
