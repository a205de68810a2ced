"""What is published, whatever it is: documents with pages, their images, and the files that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from limner.annotations.annotation import Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import WRITERS
from limner.annotations.page import Page
from limner.operations.images.shelf import Original
from limner.operations.publishing.places import Place

#: Formats of text that a manifest links to, and their names for people.
_LINKED = {"alto": "ALTO XML", "page": "PAGE XML", "hocr": "hOCR"}


class Published(Protocol):
    """A document or job as viewers see it. All methods block; they raise `NotFoundError` for what is not there."""

    title: str

    def stamp(self) -> str:
        """Changes whenever a manifest of it would."""

    def titles(self) -> Mapping[int, str]:
        """Its documents: number → title."""

    def document(self, number: int, place: Place) -> Document:
        """One of its documents, with the addresses that it has when published there."""

    def page(self, number: int, index: int) -> AnnotatedPage:
        """A page of one of its documents, by its position there."""

    def original(self, number: int, index: int) -> Original:
        """The image of a page, where it is ours to give."""


@dataclass(frozen=True, slots=True)
class ServedPages:
    """Pages whose images we give: their sources are our image services."""

    pages: Iterable[AnnotatedPage]
    #: What the addresses of the services begin with.
    services: str

    def __iter__(self) -> Iterator[AnnotatedPage]:
        for annotated in self.pages:
            yield replace(annotated, page=self._served(annotated.page))

    def _served(self, page: Page) -> Page:
        # A page on somebody's canvas keeps the image, and the service, that the manifest gives it.
        return page if page.canvas else replace(page, source=f"{self.services}{page.index}")


def published_document(document: Document, number: int, place: Place, base: str, *, served: bool) -> Document:
    """A document with the addresses that it has at a place. ``served`` says that its images are ours to give."""
    services = place.images(number)
    more: dict[str, Json] = {"base": base, "rendering": list[Json](_renderings(place.document(number)))}
    if served:
        more["image_services"] = services
    return Document(
        id=document.id,
        title=document.title,
        pages=ServedPages(document.pages, services) if served else document.pages,
        rights=document.rights,
        metadata={**document.metadata, **more},
    )


def _renderings(own: str) -> Iterator[dict[str, Json]]:
    """Links to the files of a document and to those of each page."""
    for name, label in _LINKED.items():
        writer = WRITERS.get(name)
        yield {"id": f"{own}/pages/{{index}}/{name}", "label": label, "format": writer.media_type}
        if writer.per_page:
            yield {"id": f"{own}/export/{name}", "label": f"{label}, zipped", "format": "application/zip"}
        else:
            yield {"id": f"{own}/export/{name}", "label": label, "format": writer.media_type}
