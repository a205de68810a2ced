"""Webhooks: where a workspace wants to be told, and what was sent for a job."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from limner.core.errors import NotFoundError
from limner.operations.jobs.hooks import Hook, NumberedDelivery, forget_hook, hook_of, job_deliveries, replay, set_hook
from limner.server.deps import AdminDep, AnnotatorDep, CallerDep, StateDep
from limner.server.paging import Listed
from limner.server.values import PathId, Text

router = APIRouter(prefix="/v1", tags=["webhooks"])


class HookFields(BaseModel):
    """Where to send word when a job of the workspace ends."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"url": "https://app.example.org/hooks/limner", "form": "json", "secret": "a-long-random-text"}
        },
    )

    url: Text = Field(min_length=1, max_length=2000, description="An http(s) address.")
    form: Literal["json", "extractor"] = Field(default="json", description="What is sent there.")
    secret: Text | None = Field(
        default=None, min_length=8, max_length=500, description="What it is signed with, in place of the server's key."
    )


class HookAnswer(BaseModel):
    """Where word is sent when a job of the workspace ends."""

    url: str
    form: str
    signed: bool = Field(description="Whether the workspace has a key of its own, which is never shown.")

    @classmethod
    def of(cls, hook: Hook) -> HookAnswer:
        """As the API shows it."""
        return cls(url=hook.url, form=hook.form, signed=bool(hook.secret))


class AttemptAnswer(BaseModel):
    """How one attempt went."""

    number: int
    at: datetime
    status_code: int | None = Field(description="Of the receiver's answer; null where there was none.")
    error: str | None
    seconds: float


class DeliveryAnswer(BaseModel):
    """A message that is or was to be sent."""

    number: int = Field(description="Counts from 1 in each job.")
    id: str
    job: str | None
    event: str
    url: str
    status: Literal["pending", "delivered", "failed"]
    attempts: int = Field(description="Made since it was put up, or sent once more.")
    bytes: int
    created_at: datetime
    next_at: datetime | None = Field(description="When it is tried next.")
    finished_at: datetime | None
    log: list[AttemptAnswer] = Field(description="All attempts, the oldest first.")

    @classmethod
    def of(cls, numbered: NumberedDelivery) -> DeliveryAnswer:
        """As the API shows it."""
        log = [
            AttemptAnswer(
                number=each.number, at=each.at, status_code=each.status_code, error=each.error, seconds=each.seconds
            )
            for each in numbered.log
        ]
        return cls.model_validate({"number": numbered.number, "log": log, **numbered.delivery.plain()})


@router.get("/webhook", summary="See where the workspace is told of its jobs")
def get(state: StateDep, caller: AdminDep) -> HookAnswer:
    """Besides what single jobs name as their `callback`."""
    hook = hook_of(state.database, caller.workspace_id)
    if hook is None:
        raise NotFoundError("The workspace has no webhook.")
    return HookAnswer.of(hook)


@router.put("/webhook", summary="Have the workspace told of its jobs")
def put(new: HookFields, state: StateDep, caller: AdminDep) -> HookAnswer:
    """A message is sent whenever a job ends."""
    hook = Hook(new.url, new.form, new.secret or "")
    set_hook(state.database, caller.workspace_id, hook)
    return HookAnswer.of(hook)


@router.delete("/webhook", status_code=204, summary="Stop telling the workspace of its jobs")
def delete(state: StateDep, caller: AdminDep) -> None:
    """What is on its way is still sent."""
    forget_hook(state.database, caller.workspace_id)


@router.get("/jobs/{job_id}/deliveries", summary="List what was sent for a job")
def deliveries(job_id: PathId, state: StateDep, caller: CallerDep) -> Listed[DeliveryAnswer]:
    """The oldest first, each with all attempts."""
    found = job_deliveries(state.database, caller.workspace_id, job_id)
    return Listed(items=[DeliveryAnswer.of(each) for each in found])


@router.post("/jobs/{job_id}/deliveries/{number}/replay", status_code=202, summary="Send a message once more")
def replay_delivery(
    job_id: PathId,
    number: Annotated[int, Path(ge=1, le=1_000_000, description="Its number.")],
    state: StateDep,
    caller: AnnotatorDep,
) -> DeliveryAnswer:
    """Whatever became of it."""
    return DeliveryAnswer.of(replay(state.database, caller.workspace_id, job_id, number))
