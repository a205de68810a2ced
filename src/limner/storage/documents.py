"""Documents, their pages, and the annotations of each page with all earlier states."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage
from limner.annotations.page import Page
from limner.annotations.serial import annotation_from_plain, annotation_to_plain, page_from_plain, page_to_plain
from limner.core.errors import ConflictError, NotFoundError
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.tables import DOCUMENT_PAGES, DOCUMENTS, PAGE_REVISIONS

#: Pages read at one time, so that memory does not grow with the document.
_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document to be kept."""

    title: str
    #: Its pages, and the key of each one's image where it is kept as a blob.
    pages: Sequence[tuple[Page, str | None]]
    #: The manifest's URI, the name of the upload, …
    source: str | None = None
    #: ``manuscript``, ``print``, …
    type: str | None = None
    rights: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    #: When its images may be deleted; None for never.
    images_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document that is kept."""

    id: str
    workspace_id: str
    title: str
    source: str | None
    type: str | None
    rights: str | None
    metadata: Mapping[str, Any]
    created_at: datetime
    #: When a page of it was last changed.
    updated_at: datetime
    images_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """A page that is kept, without its annotations."""

    page: Page
    #: Key of its image among the blobs; None where it is not kept.
    image: str | None
    #: Grows with each change of its annotations: whoever changes them says which one they saw.
    revision: int
    #: How many annotations it has.
    count: int
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A state that the annotations of a page were in."""

    number: int
    count: int
    #: Who brought it about: a person, or a model.
    author: str
    comment: str | None
    created_at: datetime


class Documents:
    """The documents of one workspace."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._db = database
        self._workspace = workspace_id

    def create(self, new: NewDocument, *, author: str) -> StoredDocument:
        """Keep a document, its pages without annotations."""
        row = {name: getattr(new, name) for name in ("title", "source", "type", "rights", "images_until")}
        row |= {"id": uuid.uuid4().hex, "workspace_id": self._workspace, "metadata": dict(new.metadata)}
        with self._db.write() as c:
            made = c.execute(
                DOCUMENTS.insert().values(**row, created_at=now(), updated_at=now()).returning(DOCUMENTS)
            ).one()
            if new.pages:
                rows = [_new_page(made.id, n, page, image, author) for n, (page, image) in enumerate(new.pages)]
                c.execute(DOCUMENT_PAGES.insert(), rows)
        return _document(made)

    def get(self, document_id: str) -> StoredDocument:
        """One document; raises `NotFoundError`."""
        with self._db.read() as c:
            return _document(self._row(c, document_id))

    def list(self, *, limit: int = 50, before: str | None = None) -> Sequence[StoredDocument]:
        """Documents, the newest first; ``before`` is the id of the last one of the page before."""
        query = sa.select(DOCUMENTS).where(DOCUMENTS.c.workspace_id == self._workspace)
        query = query.order_by(DOCUMENTS.c.created_at.desc(), DOCUMENTS.c.id.desc()).limit(limit)
        with self._db.read() as c:
            if before is not None:
                last = self._row(c, before)
                query = query.where(sa.tuple_(DOCUMENTS.c.created_at, DOCUMENTS.c.id) < (last.created_at, last.id))
            return [_document(row) for row in c.execute(query)]

    def delete(self, document_id: str) -> None:
        """Forget a document with its annotations and their history; its blobs are the caller's to delete."""
        with self._db.write() as c:
            self._row(c, document_id)
            c.execute(DOCUMENTS.delete().where(DOCUMENTS.c.id == document_id))

    def pages(self, document_id: str, *, after: int = -1, limit: int = 1000) -> Sequence[StoredPage]:
        """Pages from the one after position ``after``, in order."""
        query = sa.select(*_PAGE).where(DOCUMENT_PAGES.c.document_id == document_id, DOCUMENT_PAGES.c.number > after)
        with self._db.read() as c:
            self._row(c, document_id)
            return [_page(row) for row in c.execute(query.order_by(DOCUMENT_PAGES.c.number).limit(limit))]

    def page(self, document_id: str, page_id: str) -> StoredPage:
        """One page; raises `NotFoundError`."""
        with self._db.read() as c:
            return _page(self._page_row(c, document_id, page_id))

    def annotated(self, document_id: str) -> Iterator[AnnotatedPage]:
        """All pages with their annotations, in order: what the writers of formats take."""
        query = sa.select(DOCUMENT_PAGES).where(DOCUMENT_PAGES.c.document_id == document_id)
        query = query.order_by(DOCUMENT_PAGES.c.number).limit(_BATCH)
        with self._db.read() as c:
            self._row(c, document_id)
        last = -1
        while True:
            with self._db.read() as c:
                rows = c.execute(query.where(DOCUMENT_PAGES.c.number > last)).all()
            for row in rows:
                yield AnnotatedPage(page_from_plain(row.page), _annotations(row.annotations))
            if len(rows) < _BATCH:
                return
            last = rows[-1].number

    def annotations(self, document_id: str, page_id: str) -> tuple[tuple[Annotation, ...], int]:
        """The annotations of a page, and the revision they are at."""
        with self._db.read() as c:
            row = self._page_row(c, document_id, page_id)
        return _annotations(row.annotations), row.revision

    def save(
        self,
        document_id: str,
        page_id: str,
        annotations: Sequence[Annotation],
        *,
        seen: int,
        author: str,
        comment: str | None = None,
        size: tuple[int, int] | None = None,
    ) -> int:
        """Replace the annotations of a page; its new revision.

        ``seen`` is the revision that the change was made on: raises `ConflictError` where it is not
        the newest any more. ``size`` is that of the image, width and height, where it has become known.
        """
        packed = [annotation_to_plain(annotation) for annotation in annotations]
        with self._db.write() as c:
            row = self._page_row(c, document_id, page_id, lock=True)
            if row.revision != seen:
                raise ConflictError(
                    f"The page is at revision {row.revision} by {row.updated_by}, and the change was made on {seen}.",
                    hint="Read it again and repeat the change.",
                )
            state = {"annotations": packed, "count": len(packed), "revision": seen + 1}
            key = {"document_id": document_id, "number": row.number}
            c.execute(
                PAGE_REVISIONS.insert(), {**key, **state, "author": author, "comment": comment, "created_at": now()}
            )
            page = row.page if size is None else {**row.page, "width": size[0], "height": size[1]}
            _change(c, row, {**state, "page": page, "updated_at": now(), "updated_by": author})
        return seen + 1

    def history(self, document_id: str, page_id: str) -> Sequence[Revision]:
        """What was saved for a page, the newest first; at revision 0, before the first, it had no annotations."""
        with self._db.read() as c:
            row = self._page_row(c, document_id, page_id)
            return [_revision(one) for one in c.execute(_saved(row).order_by(PAGE_REVISIONS.c.revision.desc()))]

    def at_revision(self, document_id: str, page_id: str, revision: int) -> tuple[Annotation, ...]:
        """The annotations as they were at a revision; raises `NotFoundError`."""
        with self._db.read() as c:
            row = self._page_row(c, document_id, page_id)
            found = c.execute(_saved(row).where(PAGE_REVISIONS.c.revision == revision)).one_or_none()
        if found is None and revision != 0:
            raise NotFoundError(f"The page was never at revision {revision}.")
        return _annotations(found.annotations) if found else ()

    def _row(self, c: Connection, document_id: str) -> Row[Any]:
        mine = (DOCUMENTS.c.id == document_id) & (DOCUMENTS.c.workspace_id == self._workspace)
        row = c.execute(sa.select(DOCUMENTS).where(mine)).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no document {document_id}.")
        return row

    def _page_row(self, c: Connection, document_id: str, page_id: str, *, lock: bool = False) -> Row[Any]:
        self._row(c, document_id)
        mine = (DOCUMENT_PAGES.c.document_id == document_id) & (DOCUMENT_PAGES.c.page_id == page_id)
        query = sa.select(DOCUMENT_PAGES).where(mine)
        row = c.execute(query.with_for_update() if lock else query).one_or_none()
        if row is None:
            raise NotFoundError(f"The document {document_id} has no page {page_id}.")
        return row


_PAGE = [column for column in DOCUMENT_PAGES.c if column.name != "annotations"]


def _new_page(document_id: str, number: int, page: Page, image: str | None, author: str) -> dict[str, object]:
    values = {"page_id": page.id, "page": page_to_plain(page), "image": image, "updated_by": author}
    blank: dict[str, object] = {"revision": 0, "count": 0, "annotations": [], "updated_at": now()}
    return {"document_id": document_id, "number": number, **values, **blank}


def _change(c: Connection, row: Row[Any], values: Mapping[str, object]) -> None:
    mine = (DOCUMENT_PAGES.c.document_id == row.document_id) & (DOCUMENT_PAGES.c.number == row.number)
    c.execute(DOCUMENT_PAGES.update().where(mine).values(**values))
    c.execute(DOCUMENTS.update().where(DOCUMENTS.c.id == row.document_id).values(updated_at=now()))


def _saved(row: Row[Any]) -> sa.Select[Any]:
    mine = (PAGE_REVISIONS.c.document_id == row.document_id) & (PAGE_REVISIONS.c.number == row.number)
    return sa.select(PAGE_REVISIONS).where(mine)


def _annotations(plain: Sequence[Mapping[str, Any]]) -> tuple[Annotation, ...]:
    return tuple(annotation_from_plain(one) for one in plain)


def _document(row: Row[Any]) -> StoredDocument:
    return StoredDocument(**row._asdict())


def _page(row: Row[Any]) -> StoredPage:
    values = row._asdict()
    same = {name: values[name] for name in ("image", "revision", "count", "updated_at", "updated_by")}
    return StoredPage(page=page_from_plain(values["page"]), **same)


def _revision(row: Row[Any]) -> Revision:
    values = row._asdict()
    same = {name: values[name] for name in ("count", "author", "comment", "created_at")}
    return Revision(number=values["revision"], **same)
