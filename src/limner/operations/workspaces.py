"""Workspaces: deleted with everything in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from limner.core.errors import ConflictError
from limner.core.settings import Settings
from limner.jobs.engine import JobEngine
from limner.operations.foreign.yolo_uploads import incoming_folder
from limner.operations.library import workspace_folder
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.documents import Documents
from limner.storage.jobs import Job, Jobs
from limner.storage.workspaces import Workspaces

#: Rows read at one time.
_BATCH = 200


def delete_workspace(
    workspace_id: str, *, home: str, settings: Settings, database: Database, blobs: Blobs, engine: JobEngine
) -> None:
    """Delete a workspace with its jobs, documents, models, routes and tokens.

    Raises `NotFoundError`, and `ConflictError` for ``home``, the workspace of the server's admins.
    """
    Workspaces(database).get(workspace_id)
    if workspace_id == home:
        raise ConflictError("The workspace of the server's admins cannot be deleted.")
    folders = [incoming_folder(workspace_id)]
    folders += [f"documents/{document_id}" for document_id in _documents(Documents(database, workspace_id))]
    for job in _jobs(Jobs(database, workspace_id)):
        _stop(engine, job)
        folders.append(f"jobs/{job.id}")
    Workspaces(database).delete(workspace_id)
    # Files go last: what is left of them after a crash is found by nobody, but hurts nobody either.
    for folder in folders:
        blobs.delete_all(folder)
    shutil.rmtree(workspace_folder(settings.data, workspace_id), ignore_errors=True)


def _stop(engine: JobEngine, job: Job) -> None:
    if job.final:
        return
    try:
        engine.cancel(job.workspace_id, job.id)
    except ConflictError:  # it has ended meanwhile
        return


def _jobs(jobs: Jobs) -> Iterator[Job]:
    last: str | None = None
    while found := jobs.list(limit=_BATCH, before=last):
        yield from found
        last = found[-1].id


def _documents(documents: Documents) -> Iterator[str]:
    last: str | None = None
    while found := documents.list(limit=_BATCH, before=last):
        yield from (document.id for document in found)
        last = found[-1].id
