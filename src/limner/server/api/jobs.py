"""Jobs: made, looked at, cancelled, tried again, deleted; and what came of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from limner.annotations.formats.protocol import WRITERS
from limner.operations.documents.rendering import Rendered, render
from limner.operations.jobs.desk import JobDesk
from limner.operations.jobs.record import documents_of
from limner.operations.jobs.results import PageState, job_documents, page_states
from limner.server.addresses import base_of
from limner.server.api.job_fields import (
    FORM_READERS,
    OPENAPI,
    JobAnswer,
    JobDocumentAnswer,
    JobPageAnswer,
    NewJobFields,
)
from limner.server.auth import Caller
from limner.server.bodies import Body, read_body
from limner.server.deps import AnnotatorDep, CallerDep, PageDep, StateDep
from limner.server.idempotency import KeyDep, fingerprint, once
from limner.server.paging import Listed
from limner.server.sharing import viewer_links
from limner.server.state import AppState
from limner.server.values import PathId, id_cursor, number_cursor
from limner.storage.jobs import Job, Jobs, Status
from limner.storage.pages import PageStatus

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

#: Base64 takes four characters for three bytes, and there are other fields.
_BASE64 = 1.4

FormatQuery = Annotated[str, Query(alias="format", max_length=50, description="Name of an output format.")]
StatusQuery = Annotated[Status | None, Query(description="Only jobs in this state.")]
KindQuery = Annotated[str | None, Query(max_length=40, pattern=r"^[\w.-]*$", description="Only jobs of this kind.")]


def desk_of(state: AppState, caller: Caller) -> JobDesk:
    """The jobs of the caller's workspace."""
    return JobDesk(
        database=state.database,
        blobs=state.blobs,
        services=state.services,
        engine=state.engine,
        workspace_id=caller.workspace_id,
    )


@router.post("", status_code=202, response_model=JobAnswer, summary="Make a job", openapi_extra=OPENAPI)
async def create(request: Request, state: StateDep, caller: AnnotatorDep, key: KeyDep = None) -> Response:
    """It is worked on as soon as its turn comes; `Location` says where to look."""
    most = int(state.settings.fetch_max_bytes * _BASE64)
    base = base_of(request, state.settings)
    async with read_body(request, NewJobFields, most_json=most, readers=FORM_READERS) as body:
        return await run_in_threadpool(
            once, state, caller, key, lambda: _print_of(body), lambda: _made(state, caller, body, base)
        )


def job_answer(state: AppState, caller: Caller, job: Job, base: str) -> JobAnswer:
    """A job as the API shows it."""
    return JobAnswer.of(job, base, viewer_links(state, caller, "job", [job.id], base)[job.id])


def _print_of(body: Body[NewJobFields]) -> str:
    fields = body.fields.model_dump(mode="json")
    return fingerprint("jobs", fields, [(upload.name, upload.file) for upload in body.files])


def _made(state: AppState, caller: Caller, body: Body[NewJobFields], base: str) -> Response:
    job = desk_of(state, caller).submit(NewJobFields.request(body), base)
    answer = job_answer(state, caller, job, base)
    return JSONResponse(answer.model_dump(mode="json"), 202, {"Location": answer.links["self"]})


@router.get("", summary="List the jobs")
def list_all(
    request: Request,
    state: StateDep,
    caller: CallerDep,
    page: PageDep,
    status: StatusQuery = None,
    kind: KindQuery = None,
) -> Listed[JobAnswer]:
    """The newest first."""
    before = id_cursor(page.cursor)
    jobs = Jobs(state.database, caller.workspace_id)
    found = jobs.list(limit=page.limit + 1, before=before, status=status, kind=kind)
    base = base_of(request, state.settings)
    links = viewer_links(state, caller, "job", [job.id for job in found], base)
    items = [JobAnswer.of(job, base, links[job.id]) for job in found[: page.limit]]
    return Listed(items=items, next=items[-1].id if len(found) > page.limit else None)


@router.get("/{job_id}", summary="Look at a job")
def get(request: Request, job_id: PathId, state: StateDep, caller: CallerDep) -> JobAnswer:
    """How far it is."""
    job = Jobs(state.database, caller.workspace_id).get(job_id)
    return job_answer(state, caller, job, base_of(request, state.settings))


@router.get("/{job_id}/pages", summary="List the pages of a job")
def pages(
    job_id: PathId,
    state: StateDep,
    caller: CallerDep,
    page: PageDep,
    status: Annotated[PageStatus | None, Query(description="Only pages in this state.")] = None,
) -> Listed[JobPageAnswer]:
    """In their order."""
    after = number_cursor(page.cursor)
    found = page_states(state.database, caller.workspace_id, job_id, status=status, after=after, limit=page.limit + 1)
    items = [_page_answer(each) for each in found[: page.limit]]
    return Listed(items=items, next=str(items[-1].index) if len(found) > page.limit else None)


def _page_answer(state: PageState) -> JobPageAnswer:
    page = state.page
    return JobPageAnswer.model_validate(
        {
            "index": page.number,
            "name": page.name,
            "status": page.status,
            "attempts": page.attempts,
            "error": page.error.plain() if page.error else None,
            "annotations": state.annotations,
            "seconds": state.seconds,
            "note": state.note,
        }
    )


@router.get("/{job_id}/documents", summary="List the documents of a job")
def documents(job_id: PathId, state: StateDep, caller: CallerDep, page: PageDep) -> Listed[JobDocumentAnswer]:
    """Manifests, PDFs, …, each with what of it cannot be annotated and why."""
    start = number_cursor(page.cursor) + 1
    found = documents_of(state.blobs, Jobs(state.database, caller.workspace_id).get(job_id))
    items = [JobDocumentAnswer.model_validate(each.plain()) for each in found[start : start + page.limit]]
    more = start + page.limit < len(found)
    return Listed(items=items, next=str(start + page.limit - 1) if more else None)


@router.get(
    "/{job_id}/results",
    summary="Get what was found",
    response_class=Response,
    responses={200: {"description": "The file of the format, or a zip where it has several.", "content": {"*/*": {}}}},
)
def results(job_id: PathId, state: StateDep, caller: CallerDep, form: FormatQuery = "jsonl") -> StreamingResponse:
    """The pages that are done so far, in any output format."""
    format_ = WRITERS.get(form)
    job = Jobs(state.database, caller.workspace_id).get(job_id)
    found = job_documents(state.database, state.blobs, job)
    return streamed(render(format_, found, job.payload.get("title") or job.id))


def streamed(rendered: Rendered) -> StreamingResponse:
    """An answer that is made while it is sent."""
    kind = rendered.media_type
    headers = {"Content-Disposition": f'attachment; filename="{_ascii(rendered.file_name)}"'}
    media_type = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return StreamingResponse(rendered.chunks, media_type=media_type, headers=headers)


def _ascii(name: str) -> str:
    return "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\' else "_" for letter in name
    )


@router.post("/{job_id}/cancel", summary="Cancel a job")
def cancel(request: Request, job_id: PathId, state: StateDep, caller: AnnotatorDep) -> JobAnswer:
    """It stops within two seconds. What is done stays."""
    job = desk_of(state, caller).cancel(job_id)
    return job_answer(state, caller, job, base_of(request, state.settings))


@router.post("/{job_id}/retry", status_code=202, summary="Try the failed pages again")
def retry(request: Request, job_id: PathId, state: StateDep, caller: AnnotatorDep) -> JobAnswer:
    """Those that failed, or were not reached before it was cancelled; what is done is not done again."""
    job = state.engine.retry(caller.workspace_id, job_id)
    return job_answer(state, caller, job, base_of(request, state.settings))


@router.delete("/{job_id}", status_code=204, summary="Delete a job")
def delete(job_id: PathId, state: StateDep, caller: AnnotatorDep) -> None:
    """With its results. One that has not ended has to be cancelled first."""
    desk_of(state, caller).delete(job_id)
