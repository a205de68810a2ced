"""Shares: documents and jobs that viewers may open without a token, at an address that nobody can guess."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from limner.operations.publishing.places import Place
from limner.server.addresses import base_of
from limner.server.auth import Caller
from limner.server.deps import AnnotatorDep, CallerDep, StateDep
from limner.server.state import AppState
from limner.server.values import PathId
from limner.storage.documents import Documents
from limner.storage.jobs import Jobs
from limner.storage.shares import Kind, Share, Shares

router = APIRouter(prefix="/v1", tags=["shares"])


class ShareAnswer(BaseModel):
    """Where viewers find something that is shared."""

    key: str = Field(description="Whoever knows it may read the document or job.")
    created_at: datetime
    links: dict[str, str] = Field(description="`iiif`, the manifest; `content_state` and `viewer`, which open it.")


@router.put("/documents/{document_id}/share", summary="Share a document")
def share_document(request: Request, document_id: PathId, state: StateDep, caller: AnnotatorDep) -> ShareAnswer:
    """Whoever knows the address may read it from now on, without a token. What is shared keeps its address."""
    return _answer(request, state, _checked(state, caller, "document", document_id).ensure("document", document_id))


@router.get("/documents/{document_id}/share", summary="See where a document is shared")
def shared_document(request: Request, document_id: PathId, state: StateDep, caller: CallerDep) -> ShareAnswer:
    """404 where it is not."""
    return _answer(request, state, _checked(state, caller, "document", document_id).get("document", document_id))


@router.delete("/documents/{document_id}/share", status_code=204, summary="Stop sharing a document")
def unshare_document(document_id: PathId, state: StateDep, caller: AnnotatorDep) -> None:
    """Its address leads nowhere from now on, for ever: shared again it gets another."""
    _checked(state, caller, "document", document_id).revoke("document", document_id)


@router.put("/jobs/{job_id}/share", summary="Share what came of a job")
def share_job(request: Request, job_id: PathId, state: StateDep, caller: AnnotatorDep) -> ShareAnswer:
    """Whoever knows the address may read it from now on, without a token. What is shared keeps its address."""
    return _answer(request, state, _checked(state, caller, "job", job_id).ensure("job", job_id))


@router.get("/jobs/{job_id}/share", summary="See where a job is shared")
def shared_job(request: Request, job_id: PathId, state: StateDep, caller: CallerDep) -> ShareAnswer:
    """404 where it is not."""
    return _answer(request, state, _checked(state, caller, "job", job_id).get("job", job_id))


@router.delete("/jobs/{job_id}/share", status_code=204, summary="Stop sharing a job")
def unshare_job(job_id: PathId, state: StateDep, caller: AnnotatorDep) -> None:
    """Its address leads nowhere from now on, for ever: shared again it gets another."""
    _checked(state, caller, "job", job_id).revoke("job", job_id)


def _checked(state: AppState, caller: Caller, kind: Kind, identity: str) -> Shares:
    """The shares of the caller's workspace; raises `NotFoundError` where it has no such document or job."""
    if kind == "document":
        Documents(state.database, caller.workspace_id).get(identity)
    else:
        Jobs(state.database, caller.workspace_id).get(identity)
    return Shares(state.database, caller.workspace_id)


def _answer(request: Request, state: AppState, share: Share) -> ShareAnswer:
    links = Place(base_of(request, state.settings), share.key).links(state.settings.viewer_url)
    return ShareAnswer(key=share.key, created_at=share.created_at, links=links)
