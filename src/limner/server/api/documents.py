"""Documents that are kept: taken in, shown, corrected, handed out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from limner.annotations.annotation import Annotation
from limner.annotations.formats.protocol import WRITERS
from limner.annotations.serial import annotation_from_plain, annotation_to_plain, page_to_plain
from limner.core.errors import ConflictError, UsageError
from limner.operations.documents.desk import Change, DocumentDesk, page_count, skipped_of
from limner.operations.documents.rendering import render
from limner.server.addresses import base_of
from limner.server.api.job_fields import SkippedAnswer
from limner.server.api.jobs import FormatQuery, streamed
from limner.server.auth import Caller
from limner.server.bodies import Body, read_body
from limner.server.deps import AnnotatorDep, CallerDep, PageDep, StateDep
from limner.server.idempotency import KeyDep, fingerprint, once
from limner.server.paging import Listed
from limner.server.problems import problem
from limner.server.sharing import viewer_links
from limner.server.state import AppState
from limner.server.values import PageIndex, PathId, ShortText, id_cursor, number_cursor
from limner.storage.documents import StoredDocument, StoredPage

router = APIRouter(prefix="/v1/documents", tags=["documents"])

#: An image never changes under its address.
_FOR_EVER = "private, max-age=31536000, immutable"
_OPENAPI = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "Images, TIFFs of several pages, PDFs, zip files.",
                        },
                        "title": {"type": "string", "maxLength": 500},
                        "type": {"type": "string", "maxLength": 100, "description": "`manuscript`, `print`, …"},
                    },
                }
            }
        },
    }
}


class NewDocumentFields(BaseModel):
    """What to call a document."""

    model_config = ConfigDict(extra="forbid")

    title: ShortText | None = None
    type: Annotated[ShortText, Field(max_length=100)] | None = None


class DocumentAnswer(BaseModel):
    """A document that is kept."""

    id: str
    title: str
    type: str | None
    source: str | None = Field(description="The files it was made from.")
    pages: int
    skipped: list[SkippedAnswer] = Field(description="What of the files could not be read.")
    created_at: datetime
    updated_at: datetime = Field(description="When a page of it was changed last.")
    links: dict[str, str]

    @classmethod
    def of(cls, document: StoredDocument, base: str, shared: Mapping[str, str] | None = None) -> DocumentAnswer:
        """As the API shows it; ``shared`` are the links for viewers."""
        own = f"{base}/v1/documents/{document.id}"
        links = {"self": own, "manifest": f"{own}/manifest.json", "pages": f"{own}/pages", "export": f"{own}/export"}
        return cls.model_validate(
            {
                "id": document.id,
                "title": document.title,
                "type": document.type,
                "source": document.source,
                "pages": page_count(document),
                "skipped": skipped_of(document),
                "created_at": document.created_at,
                "updated_at": document.updated_at,
                "links": {**links, **(shared or {})},
            }
        )


class DocumentPageAnswer(BaseModel):
    """A page of a document, without its annotations."""

    index: int
    name: str
    page: dict[str, Any] = Field(description="`docs/reference/json.md` describes it.")
    revision: int
    annotations: int = Field(description="How many it has.")
    updated_at: datetime
    updated_by: str
    image: str = Field(description="Address of its image.")

    @classmethod
    def of(cls, document_id: str, stored: StoredPage, base: str) -> DocumentPageAnswer:
        """As the API shows it."""
        return cls(
            index=stored.page.index,
            name=stored.page.name,
            page=page_to_plain(stored.page),
            revision=stored.revision,
            annotations=stored.count,
            updated_at=stored.updated_at,
            updated_by=stored.updated_by,
            image=f"{base}/v1/documents/{document_id}/pages/{stored.page.index}/image",
        )


class AnnotationsAnswer(BaseModel):
    """The annotations of a page, and the revision they are at."""

    revision: int
    annotations: list[dict[str, Any]]


def _keepable(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Refuse what JSON lets through and is none: numbers that are not finite, half characters."""
    json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    return values


class AnnotationsFields(BaseModel):
    """What the annotations of a page shall be."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"revision": 3, "annotations": [{"id": "p1-1", "label": "initial", "box": [120, 80, 200, 210]}]}
        },
    )

    revision: int | None = Field(default=None, ge=0, le=2**31, description="The revision that the change was made on.")
    annotations: Annotated[list[dict[str, Any]], AfterValidator(_keepable)] = Field(max_length=100_000)
    comment: ShortText | None = None


class ChangeAnswer(BaseModel):
    """What one revision changed."""

    revision: int
    author: str = Field(description="A person, or `job:` and its id.")
    comment: str | None
    at: datetime
    annotations: int = Field(description="How many there were then.")
    added: int
    removed: int
    changed: int

    @classmethod
    def of(cls, change: Change) -> ChangeAnswer:
        """As the API shows it."""
        revision = change.revision
        return cls(
            revision=revision.number,
            author=revision.author,
            comment=revision.comment,
            at=revision.created_at,
            annotations=revision.count,
            added=change.added,
            removed=change.removed,
            changed=change.changed,
        )


def desk_of(state: AppState, caller: Caller) -> DocumentDesk:
    """The documents of the caller's workspace."""
    return DocumentDesk(state.database, state.blobs, state.services.sources, caller.workspace_id)


@router.post("", status_code=201, response_model=DocumentAnswer, summary="Upload a document", openapi_extra=_OPENAPI)
async def create(request: Request, state: StateDep, caller: AnnotatorDep, key: KeyDep = None) -> Response:
    """Images, PDFs and zip files become the pages of one document, in their order."""
    base = base_of(request, state.settings)
    async with read_body(request, NewDocumentFields, most_json=0) as body:
        return await run_in_threadpool(
            once, state, caller, key, lambda: _print_of(body), lambda: _made(state, caller, body, base)
        )


def _print_of(body: Body[NewDocumentFields]) -> str:
    files = [(upload.name, upload.file) for upload in body.files]
    return fingerprint("documents", body.fields.model_dump(mode="json"), files)


def _made(state: AppState, caller: Caller, body: Body[NewDocumentFields], base: str) -> Response:
    if not body.files:
        raise UsageError("There is no file to make a document of.", hint="Send it as `file`.")
    fields, desk = body.fields, desk_of(state, caller)
    document = desk.take_in(body.files, title=fields.title, kind=fields.type, author=caller.name)
    published = state.publisher.document(caller.workspace_id, document.id)
    state.ahead.add(published.originals)
    answer = DocumentAnswer.of(
        document, base, viewer_links(state, caller, "document", [document.id], base)[document.id]
    )
    return JSONResponse(answer.model_dump(mode="json"), 201, {"Location": answer.links["self"]})


@router.get("", summary="List the documents")
def list_all(request: Request, state: StateDep, caller: CallerDep, page: PageDep) -> Listed[DocumentAnswer]:
    """The newest first."""
    found = desk_of(state, caller).stored.list(limit=page.limit + 1, before=id_cursor(page.cursor))
    base = base_of(request, state.settings)
    links = viewer_links(state, caller, "document", [document.id for document in found], base)
    items = [DocumentAnswer.of(document, base, links[document.id]) for document in found[: page.limit]]
    return Listed(items=items, next=items[-1].id if len(found) > page.limit else None)


@router.get("/{document_id}", summary="Look at a document")
def get(request: Request, document_id: PathId, state: StateDep, caller: CallerDep) -> DocumentAnswer:
    """Without its pages."""
    document, base = desk_of(state, caller).stored.get(document_id), base_of(request, state.settings)
    return DocumentAnswer.of(document, base, viewer_links(state, caller, "document", [document_id], base)[document_id])


@router.delete("/{document_id}", status_code=204, summary="Delete a document")
def delete(document_id: PathId, state: StateDep, caller: AnnotatorDep) -> None:
    """With its images, its annotations and their history."""
    desk_of(state, caller).delete(document_id)


@router.get("/{document_id}/pages", summary="List the pages of a document")
def pages(
    request: Request, document_id: PathId, state: StateDep, caller: CallerDep, page: PageDep
) -> Listed[DocumentPageAnswer]:
    """In their order."""
    after = number_cursor(page.cursor)
    found = desk_of(state, caller).stored.pages(document_id, after=after, limit=page.limit + 1)
    base = base_of(request, state.settings)
    items = [DocumentPageAnswer.of(document_id, stored, base) for stored in found[: page.limit]]
    return Listed(items=items, next=str(items[-1].index) if len(found) > page.limit else None)


@router.get(
    "/{document_id}/manifest.json",
    summary="Get the document as a IIIF manifest",
    response_class=Response,
    responses={200: {"description": "Presentation 3, with the annotations.", "content": {"application/ld+json": {}}}},
)
def manifest(request: Request, document_id: PathId, state: StateDep, caller: CallerDep) -> StreamingResponse:
    """With an AnnotationPage for each canvas."""
    return _exported(request, document_id, state, caller, "iiif")


@router.get(
    "/{document_id}/export",
    summary="Get the document in an output format",
    response_class=Response,
    responses={200: {"description": "The file of the format, or a zip where it has several.", "content": {"*/*": {}}}},
)
def export(
    request: Request, document_id: PathId, state: StateDep, caller: CallerDep, form: FormatQuery = "jsonl"
) -> StreamingResponse:
    """Its annotations as they are now."""
    return _exported(request, document_id, state, caller, form)


def _exported(request: Request, document_id: str, state: AppState, caller: Caller, form: str) -> StreamingResponse:
    format_ = WRITERS.get(form)
    document = desk_of(state, caller).document(document_id, base_of(request, state.settings))
    return streamed(render(format_, [document], document.title))


@router.get(
    "/{document_id}/pages/{index}/image",
    summary="Get the image of a page",
    response_class=Response,
    responses={200: {"description": "The image as it came, or a JPEG.", "content": {"image/jpeg": {}, "image/*": {}}}},
)
def image(
    document_id: PathId,
    index: PageIndex,
    state: StateDep,
    caller: CallerDep,
    if_none_match: Annotated[str | None, Header(description="The tag of the image that the client has.")] = None,
) -> Response:
    """At its full size. It never changes."""
    found = desk_of(state, caller).image(document_id, index)
    headers = {"ETag": f'"{document_id}-{index}"', "Cache-Control": _FOR_EVER}
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    path = state.blobs.path(found.key)
    if path is not None:
        return FileResponse(path, media_type=found.media_type, headers=headers)
    headers["Content-Length"] = str(state.blobs.size(found.key))
    return StreamingResponse(state.blobs.stream(found.key), media_type=found.media_type, headers=headers)


@router.get("/{document_id}/pages/{index}/annotations", summary="Get the annotations of a page")
def page_annotations(
    document_id: PathId,
    index: PageIndex,
    state: StateDep,
    caller: CallerDep,
    response: Response,
    revision: Annotated[int | None, Query(ge=0, le=2**31, description="As they were at this revision.")] = None,
) -> AnnotationsAnswer:
    """And the revision they are at: whoever changes them has to name it."""
    desk = desk_of(state, caller)
    if revision is None:
        found, newest = desk.annotations(document_id, index)
    else:
        found, newest = desk.at_revision(document_id, index, revision), revision
    response.headers["ETag"] = f'"{newest}"'
    return _annotations(found, newest)


def _annotations(found: Sequence[Annotation], revision: int) -> AnnotationsAnswer:
    return AnnotationsAnswer(revision=revision, annotations=[annotation_to_plain(each) for each in found])


@router.put(
    "/{document_id}/pages/{index}/annotations",
    summary="Correct the annotations of a page",
    response_model=AnnotationsAnswer,
    responses={409: {"description": "Somebody else has changed the page; `present` is how it is now."}},
)
def correct(
    document_id: PathId,
    index: PageIndex,
    new: AnnotationsFields,
    state: StateDep,
    caller: AnnotatorDep,
    if_match: Annotated[str | None, Header(description="The revision that the change was made on, as a tag.")] = None,
) -> Response:
    """All of them, as they shall be. What is changed or added is the caller's, the rest keeps its origin."""
    desk, seen = desk_of(state, caller), _seen(new, if_match)
    given: list[Annotation] = [annotation_from_plain(plain) for plain in new.annotations]
    try:
        revision = desk.correct(document_id, index, given, seen=seen, author=caller.name, comment=new.comment)
    except ConflictError as error:
        found, newest = desk.annotations(document_id, index)
        present = _annotations(found, newest).model_dump(mode="json")
        return problem(409, error.code, str(error), {"ETag": f'"{newest}"'}, present=present)
    answer = _annotations(desk.at_revision(document_id, index, revision), revision)
    return JSONResponse(answer.model_dump(mode="json"), headers={"ETag": f'"{revision}"'})


def _seen(new: AnnotationsFields, if_match: str | None) -> int:
    if new.revision is not None:
        return new.revision
    tag = (if_match or "").strip().removeprefix("W/").strip('"')
    if not tag.isascii() or not tag.isdigit() or len(tag) > 9:
        raise UsageError("A change has to name the revision it was made on.", hint="As `revision`, or in `If-Match`.")
    return int(tag)


@router.get("/{document_id}/pages/{index}/annotations/history", summary="See who changed a page")
def history(
    document_id: PathId,
    index: PageIndex,
    state: StateDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=200, description="Most items in the answer.")] = 50,
) -> Listed[ChangeAnswer]:
    """The newest first. At revision 0 a page has no annotations."""
    changes = desk_of(state, caller).history(document_id, index, limit=limit)
    return Listed(items=[ChangeAnswer.of(change) for change in changes])
