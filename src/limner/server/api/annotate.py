"""Annotate a few images at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from limner.operations.answers import form_of, picture_side, render
from limner.operations.instant import InstantResult, annotate_now, observed
from limner.server.api.annotate_body import EXAMPLE, BodyFields, read_request
from limner.server.deps import AnnotatorDep, StateDep

router = APIRouter(prefix="/v1", tags=["annotate"])


class AnnotatedPageAnswer(BaseModel):
    """A page and what was found on it; `docs/reference/json.md` describes both."""

    page: dict[str, Any]
    annotations: list[dict[str, Any]]
    error: str | None = None


class AnnotateAnswer(BaseModel):
    """What was found."""

    model: str
    pages: list[AnnotatedPageAnswer]
    seconds: dict[str, float]


_OPENAPI = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "Image files: JPEG, PNG, WebP, TIFF, GIF, BMP, JPEG 2000, AVIF.",
                        },
                        "model": {"type": "string", "default": "default"},
                        "threshold": {"type": "number", "minimum": 0, "maximum": 1},
                        "labels": {"type": "string", "description": "Only these, separated by commas."},
                        "zones": {"type": "string", "description": "JSON: `[[x1, y1, x2, y2], …]`."},
                    },
                }
            },
            "application/json": {"schema": BodyFields.model_json_schema(), "example": EXAMPLE},
        },
    }
}


@router.post(
    "/annotate",
    summary="Annotate images and wait for the answer",
    openapi_extra=_OPENAPI,
    responses={
        200: {
            "model": AnnotateAnswer,
            "description": "What was found, in the form that was asked for. `Server-Timing` tells how long it took.",
            "content": {"image/png": {}, "application/zip": {}, "text/plain": {}},
        }
    },
)
async def now(
    request: Request,
    state: StateDep,
    caller: AnnotatorDep,
    form: Annotated[
        str | None,
        Query(alias="format", max_length=50, description="`json`, `overlay` (a PNG) or any output format."),
    ] = None,
) -> Response:
    """Send image files, or JSON with addresses or base64. For many pages make a job."""
    wanted = form_of(form, request.headers.get("accept", ""))
    async with read_request(request) as asked:
        result = await annotate_now(
            asked.images,
            asked.model,
            asked.options,
            state.services,
            workspace_id=caller.workspace_id,
            picture_side=picture_side(wanted),
        )
    return await _answer(result, wanted, state)


async def _answer(result: InstantResult, wanted: str, state: StateDep) -> Response:
    start = time.perf_counter()
    rendered = await run_in_threadpool(render, result, wanted)
    seconds = {**result.seconds, "write": time.perf_counter() - start}
    observed(result, seconds["write"], state.services)
    headers = {"Server-Timing": server_timing(seconds)}
    if rendered.warnings:
        headers["X-Limner-Warning"] = " ".join(rendered.warnings).encode("ascii", "replace").decode()
    return Response(rendered.body, media_type=rendered.media_type, headers=headers)


def server_timing(seconds: Mapping[str, float]) -> str:
    """The header that browsers and profilers show: milliseconds of each stage."""
    return ", ".join(f"{stage};dur={spent * 1000:.1f}" for stage, spent in seconds.items())
