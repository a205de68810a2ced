"""Following a job: server-sent events."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from limner.jobs.events import follow
from limner.operations.jobs.notices import job_plain
from limner.operations.jobs.results import page_states
from limner.server.addresses import base_of
from limner.server.deps import CallerDep, StateDep
from limner.server.state import AppState
from limner.server.values import PathId
from limner.storage.jobs import FINAL, Job, JobEvent, Jobs

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

#: Seconds between two looks whether the server is about to end.
_LOOK = 0.5


def is_stopping() -> bool:
    """Whether the server is about to end.

    uvicorn tells an application so only after all connections have closed, and a stream that waits
    for that would hold it up. What it has set to handle signals knows.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))


async def _job(job_id: PathId, state: StateDep, caller: CallerDep) -> Job:
    """The job, looked up before the stream begins: later there would be no status to say that there is none."""
    return await asyncio.to_thread(Jobs(state.database, caller.workspace_id).get, job_id)


@router.get(
    "/{job_id}/events",
    summary="Follow a job",
    response_class=EventSourceResponse,
    responses={200: {"description": "`job` at each change of the job, `page` at the end of each page."}},
)
async def events(
    request: Request,
    state: StateDep,
    job: Annotated[Job, Depends(_job)],
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Go on after this event; from the beginning by default.")
    ] = None,
    after: Annotated[int, Query(ge=0, le=2**31, description="The same, for clients that set no headers.")] = 0,
) -> AsyncGenerator[ServerSentEvent, None]:
    """Begins with the job as it is, then what happened so far, then what happens, until the job has ended."""
    base = base_of(request, state.settings)
    given = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else after
    seen = min(given, job.seq)
    yield ServerSentEvent(data=job_plain(job, base), event="job", id=str(seen))
    if job.final and seen >= job.seq:
        return
    async for event in until_stopping(all_events(state, job, seen)):
        yield await asyncio.to_thread(_told, state, job, event, base)


async def all_events(state: AppState, job: Job, seen: int) -> AsyncIterator[JobEvent]:
    """The events of a job after one, to the very last."""
    jobs = Jobs(state.database, job.workspace_id)
    async for event in follow(jobs, state.engine.bus, job.id, after=seen):
        yield event
        seen = event.seq
    # The job may end between the last look at its events and the look whether it has ended.
    for event in await asyncio.to_thread(jobs.events, job.id, after=seen):
        yield event


async def until_stopping(found: AsyncIterator[JobEvent]) -> AsyncIterator[JobEvent]:
    """The events, until there are no more or the server is about to end."""
    waiting = asyncio.ensure_future(anext(found, None))
    try:
        while not is_stopping():
            done, _ = await asyncio.wait([waiting], timeout=_LOOK)
            if not done:
                continue
            event = waiting.result()
            if event is None:
                return
            yield event
            waiting = asyncio.ensure_future(anext(found, None))
    finally:
        waiting.cancel()


def _told(state: AppState, job: Job, event: JobEvent, base: str) -> ServerSentEvent:
    if event.type == "page" and event.data["outcome"] != "waiting":
        return ServerSentEvent(data=_page(state, job, event), event="page", id=str(event.seq))
    now = Jobs(state.database, job.workspace_id).get(job.id)
    plain = {**job_plain(now, base), "status": event.data["status"], "pages": event.data["pages"]}
    if event.data["status"] not in FINAL:  # as it was then
        plain |= {"finished_at": None, "error": None}
    return ServerSentEvent(data=plain, event="job", id=str(event.seq))


def _page(state: AppState, job: Job, event: JobEvent) -> dict[str, object]:
    number = event.data["number"]
    found = page_states(state.database, job.workspace_id, job.id, after=number - 1, limit=1)
    return {
        "index": number,
        "name": found[0].page.name if found else "",
        "status": event.data["outcome"],
        "error": event.data.get("error"),
        "annotations": found[0].annotations if found else None,
    }
