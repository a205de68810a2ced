"""The IIIF Image API 3.0, level 2, for the images that are kept here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from limner.operations.images.info import LEVEL, MEDIA_TYPE, image_info
from limner.operations.images.pyramids import VERSION, pyramid_size, render
from limner.operations.images.requests import MEDIA_TYPES, read_request
from limner.operations.images.shelf import Original
from limner.server.deps import StateDep
from limner.server.iiif.access import Index, Key, Number, Opened, opened
from limner.server.state import AppState

T = TypeVar("T")

router = APIRouter(prefix="/iiif/{key}/{number}/images/{index}", tags=["iiif"])

#: Seconds that an image may be kept by others: it never changes, but what is shared may be taken back.
_IMAGE_SECONDS, _INFO_SECONDS = 86_400, 3_600


@router.get("", status_code=303, summary="Find an image service", response_class=Response)
def service(request: Request, key: Key, number: Number, index: Index, state: StateDep) -> Response:
    """The address of an image service leads to its `info.json`."""
    place = opened(request, state, key).place
    return RedirectResponse(f"{place.images(number)}{index}/info.json", 303)


@router.get(
    "/info.json",
    summary="Learn what an image service does",
    response_class=Response,
    responses={200: {"description": "The size of the image, and what can be asked for.", "content": {MEDIA_TYPE: {}}}},
)
async def info(request: Request, key: Key, number: Number, index: Index, state: StateDep) -> Response:
    """As the Image API wants it."""
    found, _, path = await _tiled(request, state, key, number, index)
    width, height = await _in_thread(state, partial(pyramid_size, path))
    plain = image_info(f"{found.place.images(number)}{index}", width, height)
    headers = {**found.caching(_INFO_SECONDS), "Link": f'<{LEVEL}>;rel="profile"'}
    headers["Vary"] = ", ".join(filter(None, ["Accept", headers.get("Vary")]))
    accepted = request.headers.get("accept", "")
    is_plain = "application/json" in accepted and "application/ld+json" not in accepted
    return JSONResponse(plain, headers=headers, media_type="application/json" if is_plain else MEDIA_TYPE)


@router.get(
    "/{region}/{size}/{rotation}/{file}",
    summary="Get an image, or a part of it",
    response_class=Response,
    responses={200: {"description": "The image.", "content": {kind: {} for kind in MEDIA_TYPES.values()}}},
)
async def image(
    request: Request,
    key: Key,
    number: Number,
    index: Index,
    region: str,
    size: str,
    rotation: str,
    file: str,
    state: StateDep,
) -> Response:
    """Cut, scaled, turned and encoded: `{region}/{size}/{rotation}/{quality}.{format}`."""
    found, original, path = await _tiled(request, state, key, number, index)

    def answer() -> Response:
        rendering = read_request(region, size, rotation, file, pyramid_size(path))
        own = f"{found.place.images(number)}{index}"
        tag = hashlib.sha256(f"{VERSION} {original.key} {rendering.canonical}".encode()).hexdigest()[:32]
        headers = {
            **found.caching(_IMAGE_SECONDS),
            "ETag": f'"{tag}"',
            "Link": f'<{own}/{rendering.canonical}>;rel="canonical", <{LEVEL}>;rel="profile"',
        }
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(render(path, rendering), headers=headers, media_type=MEDIA_TYPES[rendering.format])

    return await _in_thread(state, answer)


async def _tiled(request: Request, state: AppState, key: str, number: int, index: int) -> tuple[Opened, Original, Path]:
    """The tiled image of a page. One that has to be made first keeps nobody waiting but its own viewers."""

    def find() -> tuple[Opened, Original, Path | None]:
        found = opened(request, state, key)
        original = found.published.original(number, index)
        return found, original, state.shelf.find(original.key)

    found, original, path = await _in_thread(state, find)
    if path is None:
        path = await anyio.to_thread.run_sync(state.shelf.make, original, limiter=state.making)
    return found, original, path


async def _in_thread(state: AppState, work: Callable[[], T]) -> T:
    """Do some work in one of the threads that are for viewers: many tiles shall not hold up the API."""
    return await anyio.to_thread.run_sync(work, limiter=state.viewing)
