"""Documents that the server keeps, and the annotations of their pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from limner.annotations.annotation import Annotation, Json
from limner.annotations.serial import annotation_to_plain
from limner.client import answers
from limner.client.call import Answer, Call, content, filled, nothing, once, path, text
from limner.client.calls.annotate import Image, uploads
from limner.client.values import Change, Document, DocumentPage, Listing, PageAnnotations, Values
from limner.core.errors import UsageError

#: A document, or its id.
DocumentRef: TypeAlias = "Document | str"


def _id(document: DocumentRef) -> str:
    return document.id if isinstance(document, Document) else document


def create(
    files: Iterable[Image],
    *,
    title: str | None = None,
    type: str | None = None,  # noqa: A002 - what the API calls it
    idempotency_key: str | None = None,
) -> Call[Document]:
    """Keep images, PDFs or zips as a document; they are sent from the disk piece by piece.

    ``type`` is ``manuscript``, ``print``, …
    """
    sent = uploads(files)
    if not sent:
        raise UsageError("There is no file to make a document of.")
    read, headers = answers.one(answers.document), once(idempotency_key)
    form = filled(title=title, type=type)
    return Call(method="POST", path=path("documents"), read=read, headers=headers, form=form, files=sent)


def get(document: DocumentRef) -> Call[Document]:
    """One document; raises `NotFoundError`."""
    return Call(method="GET", path=path("documents", _id(document)), read=answers.one(answers.document))


def listed() -> Call[Listing[Document]]:
    """All documents, the newest first."""
    return Call(method="GET", path=path("documents"), read=answers.listing(answers.document))


def delete(document: DocumentRef) -> Call[None]:
    """Forget a document with its annotations and their history."""
    return Call(method="DELETE", path=path("documents", _id(document)), read=nothing)


def pages(document: DocumentRef) -> Call[Listing[DocumentPage]]:
    """The pages of a document in their order."""
    where = path("documents", _id(document), "pages")
    return Call(method="GET", path=where, read=answers.listing(answers.document_page))


def manifest(document: DocumentRef) -> Call[Values]:
    """The document as a IIIF Presentation 3 manifest, with its annotations."""
    return Call(method="GET", path=path("documents", _id(document), "manifest.json"), read=Answer.plain)


def image(document: DocumentRef, index: int) -> Call[bytes]:
    """The image of a page."""
    return Call(method="GET", path=path("documents", _id(document), "pages", index, "image"), read=content)


def annotations_of(document: DocumentRef, index: int, *, revision: int | None = None) -> Call[PageAnnotations]:
    """The annotations of a page as they are, or as they were at a revision; ``index`` counts from 0."""
    read, params = answers.one(answers.page_annotations), filled(revision=revision)
    return Call(method="GET", path=_annotations(document, index), params=params, read=read)


def save(
    document: DocumentRef,
    index: int,
    annotations: Iterable[Annotation],
    *,
    revision: int,
    comment: str | None = None,
) -> Call[PageAnnotations]:
    """Replace the annotations of a page; they come back with the new revision.

    ``revision`` is the one that the change was made on: raises `ConflictError` where somebody else
    has changed the page meanwhile, with the present state in its ``problem``. Not repeated by itself,
    since the second time would be such a case.
    """
    plain: list[Json] = [annotation_to_plain(annotation) for annotation in annotations]
    body: dict[str, Json] = {"revision": revision, "annotations": plain}
    if comment is not None:
        body["comment"] = comment
    read, where = answers.one(answers.page_annotations), _annotations(document, index)
    return Call(method="PUT", path=where, read=read, body=body, repeatable=False)


def history(document: DocumentRef, index: int) -> Call[Listing[Change]]:
    """Who changed a page, when, and what: the newest first."""
    return Call(method="GET", path=f"{_annotations(document, index)}/history", read=answers.listing(answers.change))


def export(document: DocumentRef, format: str) -> Call[str]:  # noqa: A002 - what the API calls it
    """The document as text in an output format of one file."""
    return export_file(document, format).reading(text)


def export_file(document: DocumentRef, format: str) -> Call[bytes]:  # noqa: A002
    """The document in an output format: its file, or a zip where it has several."""
    where = path("documents", _id(document), "export")
    return Call(method="GET", path=where, params={"format": format}, read=content)


def _annotations(document: DocumentRef, index: int) -> str:
    return path("documents", _id(document), "pages", index, "annotations")
