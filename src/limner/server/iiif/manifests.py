"""Manifests of what is published, and the files that belong to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from limner import __version__
from limner.annotations.document import Document
from limner.annotations.formats.iiif import CONTEXT
from limner.annotations.formats.iiif_properties import language_map
from limner.annotations.formats.protocol import WRITERS
from limner.operations.documents.rendering import Rendered, render, render_first
from limner.server.api.jobs import streamed
from limner.server.deps import StateDep
from limner.server.iiif.access import Index, Key, Number, Opened, opened
from limner.server.values import ShortText

router = APIRouter(prefix="/iiif/{key}", tags=["iiif"])

_MANIFEST: dict[int | str, dict[str, Any]] = {
    200: {"description": "Presentation 3, with the annotations.", "content": {"application/ld+json": {}}}
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file of the format, or a zip where it has several.", "content": {"*/*": {}}}
}


@router.get("/manifest.json", summary="Open what is published", response_class=Response, responses=_MANIFEST)
def whole(request: Request, key: Key, state: StateDep) -> Response:
    """The manifest of a document or job; of a job with several documents a collection of their manifests."""
    found = opened(request, state, key)
    titles = found.published.titles()
    if len(titles) == 1:
        return _manifest(request, found, *titles)
    return JSONResponse(_collection(found, titles), headers=found.fresh(), media_type=WRITERS.get("iiif").media_type)


@router.get("/{number}/manifest.json", summary="Open one document", response_class=Response, responses=_MANIFEST)
def manifest(request: Request, key: Key, number: Number, state: StateDep) -> Response:
    """With an AnnotationPage for each canvas, in units of the canvas."""
    return _manifest(request, opened(request, state, key), number)


@router.get(
    "/{number}/export/{form}", summary="Get a document in an output format", response_class=Response, responses=_FILE
)
def export(request: Request, key: Key, number: Number, form: ShortText, state: StateDep) -> StreamingResponse:
    """The files that manifests link to in `rendering`."""
    found, writer = opened(request, state, key), WRITERS.get(form)
    document = found.published.document(number, found.place)
    return _sent(found, render(writer, [document], document.title))


@router.get(
    "/{number}/pages/{index}/{form}", summary="Get a page in an output format", response_class=Response, responses=_FILE
)
def page(
    request: Request, key: Key, number: Number, index: Index, form: ShortText, state: StateDep
) -> StreamingResponse:
    """The files that canvases link to in `rendering`."""
    found, writer = opened(request, state, key), WRITERS.get(form)
    annotated = found.published.page(number, index)
    title = annotated.page.name
    return _sent(found, render_first(writer, Document(id=annotated.page.id, title=title, pages=[annotated])))


def _manifest(request: Request, found: Opened, number: int) -> Response:
    """A manifest that is made while it is sent; not again for those who have it."""
    said = f"{__version__} {found.published.stamp()} {found.place.base} {number}"
    tag = hashlib.sha256(said.encode()).hexdigest()[:32]
    headers = {**found.fresh(), "ETag": f'"{tag}"'}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    document = found.published.document(number, found.place)
    rendered = render(WRITERS.get("iiif"), [document], document.title)
    return StreamingResponse(rendered.chunks, 200, headers, rendered.media_type)


def _sent(found: Opened, rendered: Rendered) -> StreamingResponse:
    answer = streamed(rendered)
    answer.headers.update(found.fresh())
    return answer


def _collection(found: Opened, titles: Mapping[int, str]) -> dict[str, Any]:
    return {
        "@context": CONTEXT,
        "id": found.place.manifest,
        "type": "Collection",
        "label": language_map(found.published.title),
        "items": [
            {
                "id": f"{found.place.document(number)}/manifest.json",
                "type": "Manifest",
                "label": language_map(title) or {"none": [str(number + 1)]},
            }
            for number, title in titles.items()
        ],
    }
