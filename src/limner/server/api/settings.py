"""What a client should know of the server, and its settings without secrets."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

import limner
from limner.annotations.formats.protocol import READERS, WRITERS
from limner.operations.candidates import MOST_PAGES
from limner.operations.shown_settings import shown_settings
from limner.server.deps import CallerDep, StateDep

router = APIRouter(prefix="/v1", tags=["settings"])


class Limits(BaseModel):
    """What is too much."""

    body_bytes: int = Field(description="Largest request body.")
    pixels: int = Field(description="Largest image.")
    pages: int = Field(description="Most pages of one source.")
    pages_at_once: int = Field(description="Most pages of `POST /v1/annotate`.")
    requests_a_minute: int = Field(description="0 for no limit.")


class SettingsAnswer(BaseModel):
    """What a client should know of the server."""

    version: str
    writes: list[str] = Field(description="Output formats.")
    reads: list[str] = Field(description="Formats that annotations can be imported from.")
    limits: Limits
    scopes: list[str] = Field(description="What the caller may do.")
    settings: dict[str, Any] | None = Field(default=None, description="All settings; only for the server's admins.")


@router.get("/settings", summary="What the server offers and how it is set", response_model_exclude_none=True)
def show(state: StateDep, caller: CallerDep) -> SettingsAnswer:
    """Version, formats and limits; all settings, without secrets, for the server's admins."""
    settings = state.settings
    limits = Limits(
        body_bytes=settings.max_body_bytes,
        pixels=settings.max_pixels,
        pages=settings.max_pages,
        pages_at_once=MOST_PAGES,
        requests_a_minute=settings.rate_limit,
    )
    is_server_admin = caller.is_admin and caller.workspace_id == state.home
    return SettingsAnswer(
        version=limner.__version__,
        writes=WRITERS.names(),
        reads=READERS.names(),
        limits=limits,
        scopes=sorted(caller.scopes),
        settings=dict(shown_settings(settings)) if is_server_admin else None,
    )
