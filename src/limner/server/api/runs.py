"""Runs: trainings made, followed, stopped, taken up again, promoted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from limner.operations.runs.desk import RunDesk
from limner.operations.runs.progress import sample
from limner.server.addresses import base_of
from limner.server.api.events import all_events, until_stopping
from limner.server.api.run_fields import (
    NewRunFields,
    PromoteFields,
    PromotionAnswer,
    RunAnswer,
    RunChoices,
    RunEstimateAnswer,
)
from limner.server.auth import Caller
from limner.server.deps import CallerDep, PageDep, StateDep, TrainerDep
from limner.server.idempotency import KeyDep, fingerprint, once
from limner.server.paging import Listed
from limner.server.state import AppState
from limner.server.values import PathId, id_cursor
from limner.storage.jobs import FINAL, Job, JobEvent, Jobs, Status

router = APIRouter(prefix="/v1/runs", tags=["runs"])

Epoch = Annotated[int, Path(ge=0, le=1_000_000, description="The epoch, from 1.")]


def run_desk(state: AppState, caller: Caller) -> RunDesk:
    """The runs of the caller's workspace."""
    return RunDesk(
        database=state.database,
        blobs=state.blobs,
        services=state.services,
        engine=state.engine,
        workspace_id=caller.workspace_id,
    )


@router.post("", status_code=202, response_model=RunAnswer, summary="Begin a run")
async def create(
    request: Request, fields: NewRunFields, state: StateDep, caller: TrainerDep, key: KeyDep = None
) -> Response:
    """A network learns from a dataset as soon as its turn comes; `Location` says where to look."""
    base = base_of(request, state.settings)

    def made() -> Response:
        desk = run_desk(state, caller)
        job = desk.create(fields.choices(), base, alias=fields.alias, priority=fields.priority)
        answer = RunAnswer.of(desk.get(job.id), base)
        return JSONResponse(answer.model_dump(mode="json"), 202, {"Location": answer.links["self"]})

    def print_of() -> str:
        return fingerprint("runs", fields.model_dump(mode="json"))

    return await run_in_threadpool(once, state, caller, key, print_of, made)


@router.post("/estimate", summary="Estimate a run")
def estimate(fields: RunChoices, state: StateDep, caller: TrainerDep) -> RunEstimateAnswer:
    """Measured here by learning from a few batches, which takes some seconds. A GPU elsewhere is another matter."""
    return RunEstimateAnswer.model_validate(run_desk(state, caller).estimate(fields.choices()))


@router.get("", summary="List the runs")
def list_all(
    request: Request,
    state: StateDep,
    caller: CallerDep,
    page: PageDep,
    status: Annotated[Status | None, Query(description="Only runs in this state.")] = None,
) -> Listed[RunAnswer]:
    """The newest first."""
    before, base = id_cursor(page.cursor), base_of(request, state.settings)
    found = run_desk(state, caller).list(limit=page.limit + 1, before=before, status=status)
    items = [RunAnswer.of(each, base) for each in found[: page.limit]]
    return Listed(items=items, next=items[-1].id if len(found) > page.limit else None)


@router.get("/{run_id}", summary="Look at a run")
def get(request: Request, run_id: PathId, state: StateDep, caller: CallerDep) -> RunAnswer:
    """How far it is, and what came of it."""
    return RunAnswer.of(run_desk(state, caller).get(run_id), base_of(request, state.settings))


@router.get("/{run_id}/metrics", summary="Get the figures of a run")
def metrics(
    run_id: PathId,
    state: StateDep,
    caller: CallerDep,
    after: Annotated[int, Query(ge=0, le=2**31, description="Only after this batch.")] = 0,
) -> Listed[dict[str, Any]]:
    """Losses and validation figures in their order, as they stand in `metrics.jsonl`; all that there are."""
    return Listed(items=run_desk(state, caller).metrics(run_id, after), next=None)


@router.get(
    "/{run_id}/samples/{epoch}",
    summary="See what was found after an epoch",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "Validation pages: what is there, what was found."}},
)
def samples(run_id: PathId, epoch: Epoch, state: StateDep, caller: CallerDep) -> Response:
    """A sheet of pictures."""
    return Response(sample(run_desk(state, caller).folder(run_id), epoch), media_type="image/jpeg")


@router.get("/{run_id}/report", summary="Get the figures at the end")
def report(run_id: PathId, state: StateDep, caller: CallerDep) -> dict[str, Any]:
    """Of all labels together and of each, on the validation pages."""
    return dict(run_desk(state, caller).report(run_id))


@router.post("/{run_id}/stop", summary="Stop a run")
def stop(request: Request, run_id: PathId, state: StateDep, caller: TrainerDep) -> RunAnswer:
    """It writes a checkpoint first, and can be resumed."""
    return RunAnswer.of(run_desk(state, caller).stop(run_id), base_of(request, state.settings))


@router.post("/{run_id}/resume", status_code=202, summary="Take a run up again")
def resume(request: Request, run_id: PathId, state: StateDep, caller: TrainerDep) -> RunAnswer:
    """One that was stopped or has failed goes on from its last checkpoint."""
    return RunAnswer.of(run_desk(state, caller).resume(run_id), base_of(request, state.settings))


@router.post("/{run_id}/promote", summary="Promote the model of a run")
def promote(run_id: PathId, fields: PromoteFields, state: StateDep, caller: TrainerDep) -> PromotionAnswer:
    """The alias stands for it from now on, if it is better on the held-out pages than what the alias stands for."""
    with state.one_at_a_time:
        promotion = run_desk(state, caller).promote(run_id, fields.alias, force=fields.force)
    return PromotionAnswer.model_validate({**promotion.plain(), "detail": promotion.sentence})


@router.delete("/{run_id}", status_code=204, summary="Delete a run")
def delete(run_id: PathId, state: StateDep, caller: TrainerDep) -> None:
    """With its folder; the model that came out stays. One that has not ended has to be stopped first."""
    run_desk(state, caller).delete(run_id)


async def _job(run_id: PathId, state: StateDep, caller: CallerDep) -> Job:
    """The run, looked up before the stream begins: later there would be no status to say that there is none."""
    return (await asyncio.to_thread(run_desk(state, caller).get, run_id)).job


@router.get(
    "/{run_id}/events",
    summary="Follow a run",
    response_class=EventSourceResponse,
    responses={200: {"description": "`run` at each change of its state, `metrics` with new figures."}},
)
async def events(
    request: Request,
    state: StateDep,
    caller: CallerDep,
    job: Annotated[Job, Depends(_job)],
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Go on after this event; from the beginning by default.")
    ] = None,
    after: Annotated[int, Query(ge=0, le=2**31, description="The same, for clients that set no headers.")] = 0,
) -> AsyncGenerator[ServerSentEvent, None]:
    """Begins with the run as it is, then what happened so far, then what happens, until it has ended."""
    base, desk = base_of(request, state.settings), run_desk(state, caller)
    given = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else after
    seen = min(given, job.seq)
    yield ServerSentEvent(data=await asyncio.to_thread(_plain, desk, job, base), event="run", id=str(seen))
    if job.final and seen >= job.seq:
        return
    async for event in until_stopping(all_events(state, job, seen)):
        yield await asyncio.to_thread(_told, desk, job, event, base)


def _told(desk: RunDesk, job: Job, event: JobEvent, base: str) -> ServerSentEvent:
    if event.type == "progress":
        return ServerSentEvent(data={"metrics": event.data["metrics"]}, event="metrics", id=str(event.seq))
    now = Jobs(desk.database, desk.workspace_id).get(job.id)
    plain = {**_plain(desk, now, base), "status": event.data["status"]}
    if event.data["status"] not in FINAL:  # as it was then
        plain |= {"finished_at": None, "error": None}
    return ServerSentEvent(data=plain, event="run", id=str(event.seq))


def _plain(desk: RunDesk, job: Job, base: str) -> Mapping[str, Any]:
    return RunAnswer.of(desk.get(job.id), base).model_dump(mode="json")
