"""Webhooks of a workspace, and the messages that were put up for a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from limner.core.errors import NotFoundError, UsageError
from limner.operations.jobs.desk import check_address
from limner.operations.jobs.notices import FORMS, webhook_of
from limner.storage.database import Database
from limner.storage.jobs import Jobs
from limner.storage.webhooks import Attempt, Deliveries, Delivery
from limner.storage.workspaces import Workspaces

#: The setting of a workspace.
_SETTING = "webhook"
#: Most messages of a job that are listed.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a workspace wants to be told that a job has ended."""

    url: str
    form: str
    #: What messages are signed with; empty for the server's key.
    secret: str = ""


@dataclass(frozen=True, slots=True)
class NumberedDelivery:
    """A message for a job, its number there, and all attempts at it."""

    number: int
    delivery: Delivery
    log: Sequence[Attempt]


def hook_of(database: Database, workspace_id: str) -> Hook | None:
    """The webhook of a workspace, if it has one."""
    settings = Workspaces(database).get(workspace_id).settings
    if webhook_of(settings) is None:
        return None
    return Hook(**settings[_SETTING])


def set_hook(database: Database, workspace_id: str, hook: Hook) -> None:
    """Set the webhook of a workspace; raises `UsageError` or `AddressRefusedError`."""
    check_address(hook.url)
    if hook.form not in FORMS:
        raise UsageError(f"A webhook can have the form {' or '.join(FORMS)}, not {hook.form!r}.")
    values = {"url": hook.url, "form": hook.form, "secret": hook.secret}
    Workspaces(database).configure(workspace_id, {_SETTING: dict(values)})


def forget_hook(database: Database, workspace_id: str) -> None:
    """Take the webhook of a workspace away."""
    Workspaces(database).configure(workspace_id, {_SETTING: None})


def job_deliveries(database: Database, workspace_id: str, job_id: str) -> list[NumberedDelivery]:
    """The messages of a job, the oldest first; raises `NotFoundError`."""
    Jobs(database, workspace_id).get(job_id)
    deliveries = Deliveries(database, workspace_id)
    found = sorted(deliveries.list(job_id=job_id, limit=_MOST), key=lambda each: (each.created_at, each.id))
    return [NumberedDelivery(number, each, deliveries.attempts(each.id)) for number, each in enumerate(found, 1)]


def replay(database: Database, workspace_id: str, job_id: str, number: int) -> NumberedDelivery:
    """Send a message once more; raises `NotFoundError`."""
    found = job_deliveries(database, workspace_id, job_id)
    if number > len(found):
        raise NotFoundError(f"Nothing of the number {number} was sent for the job {job_id}.")
    again = Deliveries(database, workspace_id).replay(found[number - 1].delivery.id)
    return NumberedDelivery(number, again, found[number - 1].log)
