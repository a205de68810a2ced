"""Evaluations: models measured on the held-out pages of a dataset."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from limner.operations.evaluation.desk import EvaluationDesk
from limner.operations.evaluation.kept import PAGE
from limner.server.addresses import base_of
from limner.server.api.evaluation_fields import EvaluationAnswer, NewEvaluationFields
from limner.server.auth import Caller
from limner.server.deps import AnnotatorDep, StateDep, TrainerDep
from limner.server.idempotency import KeyDep, fingerprint, once
from limner.server.state import AppState
from limner.server.values import PathId

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"])

ReportFile = Annotated[str, Path(max_length=100, description="`report.json`, `labels.csv`, `01-found.jpg`, …")]

_TYPES = {"html": "text/html", "json": "application/json", "csv": "text/csv; charset=utf-8", "jpg": "image/jpeg"}
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


def evaluation_desk(state: AppState, caller: Caller) -> EvaluationDesk:
    """The evaluations of the caller's workspace."""
    return EvaluationDesk(
        database=state.database,
        blobs=state.blobs,
        services=state.services,
        engine=state.engine,
        workspace_id=caller.workspace_id,
    )


@router.post("", status_code=202, response_model=EvaluationAnswer, summary="Evaluate a model")
async def create(
    request: Request, fields: NewEvaluationFields, state: StateDep, caller: TrainerDep, key: KeyDep = None
) -> Response:
    """One model or two look at the held-out pages of a dataset as soon as their turn comes; `Location` says where
    to look. It is a job, with the same id: it is followed, cancelled and tried again as such.
    """
    base = base_of(request, state.settings)

    def made() -> Response:
        desk = evaluation_desk(state, caller)
        answer = EvaluationAnswer.of(desk.get(desk.create(fields.wanted(), base).id), base)
        return JSONResponse(answer.model_dump(mode="json"), 202, {"Location": answer.links["self"]})

    def print_of() -> str:
        return fingerprint("evaluations", fields.model_dump(mode="json"))

    return await run_in_threadpool(once, state, caller, key, print_of, made)


@router.get("/{evaluation_id}", summary="Look at an evaluation")
def get(request: Request, evaluation_id: PathId, state: StateDep, caller: AnnotatorDep) -> EvaluationAnswer:
    """How far it is and, when it is finished, all figures."""
    return EvaluationAnswer.of(evaluation_desk(state, caller).get(evaluation_id), base_of(request, state.settings))


@router.get(
    "/{evaluation_id}/report",
    summary="Read the report of an evaluation",
    response_class=Response,
    responses={200: {"description": "A page with figures and the worst pages.", "content": {"text/html": {}}}},
)
def report(evaluation_id: PathId, state: StateDep, caller: AnnotatorDep) -> Response:
    """For people; its pictures are next to it."""
    page = b"".join(evaluation_desk(state, caller).file(evaluation_id, PAGE))
    return Response(page, media_type=_TYPES["html"], headers={"Content-Security-Policy": _policy(page)})


@router.get(
    "/{evaluation_id}/report/{file}",
    summary="Get a file of a report",
    response_class=Response,
    responses={200: {"description": "JSON, CSV, HTML or a JPEG.", "content": {"*/*": {}}}},
)
def report_file(evaluation_id: PathId, file: ReportFile, state: StateDep, caller: AnnotatorDep) -> Response:
    """One of those that the evaluation lists as `files`."""
    if file == PAGE:
        return report(evaluation_id, state, caller)
    pieces = evaluation_desk(state, caller).file(evaluation_id, file)
    return StreamingResponse(pieces, media_type=_TYPES[file.rpartition(".")[2]])


def _policy(page: bytes) -> str:
    """Nothing but the page's own style, which stands before all that was named by somebody, and its pictures."""
    style = _STYLE.search(page)
    known = b64encode(sha256(style.group(1) if style else b"").digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{known}'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
