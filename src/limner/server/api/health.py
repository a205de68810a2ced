"""Whether the server lives, whether it can work, and how it is doing."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from limner.server.deps import StateDep
from limner.server.metrics import MEDIA_TYPE
from limner.server.readiness import State

router = APIRouter(tags=["health"])


class PartAnswer(BaseModel):
    """A part of the server."""

    state: State = Field(description="`pending`: not known yet.")
    reason: str | None = Field(default=None, description="Why it has failed.")


class ReadyAnswer(BaseModel):
    """Whether the server can work."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"ready": True, "parts": {"database": {"state": "ok"}, "model": {"state": "ok"}}}}
    )

    ready: bool
    parts: dict[str, PartAnswer] = Field(description="`database`, `storage`, `model` (a canary inference), `queue`.")


@router.get("/healthz", summary="Whether the server lives")
async def live() -> dict[str, str]:
    """Answers as soon as requests are taken."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Whether the server can work",
    response_model=ReadyAnswer,
    responses={503: {"model": ReadyAnswer, "description": "Something has failed; `reason` says what."}},
)
async def ready(state: StateDep) -> JSONResponse:
    """Looks at the database, the blob store, the queue and the default model (once a minute)."""
    parts = await run_in_threadpool(state.readiness.parts)
    answers = {part.name: PartAnswer(state=part.state, reason=part.reason or None) for part in parts}
    answer = ReadyAnswer(ready=all(part.state != "failed" for part in parts), parts=answers)
    return JSONResponse(answer.model_dump(exclude_none=True), 200 if answer.ready else 503)


@router.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
async def metrics(state: StateDep) -> Response:
    """Times of each stage, requests, queues and loaded models, in Prometheus's text format."""
    return Response(await run_in_threadpool(state.metrics.text), media_type=MEDIA_TYPE)
