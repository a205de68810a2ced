"""What a job would find, and how long it would take."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from limner.operations.jobs.estimate import estimate
from limner.server.api.jobs import desk_of
from limner.server.deps import AnnotatorDep, StateDep
from limner.server.values import ShortText, Text

router = APIRouter(prefix="/v1/estimate", tags=["jobs"])


class EstimateFields(BaseModel):
    """What is to be annotated, and with what."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"source": "https://iiif.example.org/ms-22/manifest.json", "model": "text"}},
    )

    source: Text | dict[str, Any] = Field(description="Address of a manifest or collection, or a manifest itself.")
    model: ShortText | None = Field(default=None, min_length=1, description="Name, `name@version` or alias.")


class EstimateAnswer(BaseModel):
    """What is in a manifest, a collection, or the description of an image."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="`Manifest`, `Collection` or `Image`.")
    version: str = Field(description="Version of the Presentation or Image API.")
    title: str
    rights: str | None
    canvases: int
    images: int = Field(description="Images that can be annotated.")
    sizes: dict[str, Any]
    skipped: list[dict[str, str]] = Field(description="What cannot be used, and why.")
    problems: list[str] = Field(description="What was odd, and is mended.")
    model: str
    estimate_seconds: float = Field(
        description="For all images: fetched as politely as the settings say, and annotated."
    )


@router.post("", summary="Estimate a job")
async def post(fields: EstimateFields, state: StateDep, caller: AnnotatorDep) -> EstimateAnswer:
    """Only descriptions are fetched, no images."""
    bundle = await run_in_threadpool(desk_of(state, caller).model, fields.model, None)
    report = await estimate(fields.source, bundle, state.services.sources)
    return EstimateAnswer.model_validate({**report.to_plain(), "model": bundle.ref})
