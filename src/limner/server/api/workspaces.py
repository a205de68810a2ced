"""Workspaces; only the server's admins may."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from limner.operations.workspaces import delete_workspace
from limner.server.deps import PageDep, ServerAdminDep, StateDep
from limner.server.paging import Listed, part_of
from limner.storage.workspaces import Workspace, Workspaces

router = APIRouter(prefix="/v1/workspaces", tags=["workspaces"])


class NewWorkspace(BaseModel):
    """A workspace to be made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"name": "manuscripts"}})

    name: str = Field(min_length=1, max_length=200, description="What people call it; no two have the same.")


class WorkspaceAnswer(BaseModel):
    """An owner of jobs, documents, models and tokens."""

    id: str
    name: str
    created_at: datetime

    @classmethod
    def of(cls, workspace: Workspace) -> WorkspaceAnswer:
        """As the API shows it."""
        return cls(id=workspace.id, name=workspace.name, created_at=workspace.created_at)


@router.get("", summary="List the workspaces")
def list_all(state: StateDep, _: ServerAdminDep, page: PageDep) -> Listed[WorkspaceAnswer]:
    """All workspaces, by name."""
    found = [WorkspaceAnswer.of(workspace) for workspace in Workspaces(state.database).list()]
    return part_of(found, page, key=lambda workspace: workspace.name)


@router.post("", status_code=201, summary="Make a workspace")
def create(new: NewWorkspace, state: StateDep, _: ServerAdminDep) -> WorkspaceAnswer:
    """A workspace without anything in it. Make its first token with `POST /v1/tokens` and its id."""
    return WorkspaceAnswer.of(Workspaces(state.database).create(new.name))


@router.delete("/{workspace_id}", status_code=204, summary="Delete a workspace")
async def delete(workspace_id: str, state: StateDep, _: ServerAdminDep) -> None:
    """With its jobs, documents, models, routes and tokens."""
    await run_in_threadpool(
        delete_workspace,
        workspace_id,
        home=state.home,
        settings=state.settings,
        database=state.database,
        blobs=state.blobs,
        engine=state.engine,
    )
