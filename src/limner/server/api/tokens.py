"""Tokens of a workspace; its admins may."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from limner.core.errors import NotFoundError
from limner.operations.tokens import create_token
from limner.server.auth import Caller
from limner.server.deps import AdminDep, PageDep, StateDep
from limner.server.paging import Listed, part_of
from limner.server.state import AppState
from limner.storage.tokens import SCOPES, Scope, Token, Tokens
from limner.storage.workspaces import Workspaces

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])

Workspace = Annotated[
    str | None,
    Query(alias="workspace", max_length=40, description="Id of another workspace; only for the server's admins."),
]


class NewToken(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"name": "vision app", "scopes": ["annotate"], "expires_at": "2030-01-01T00:00:00Z"}
        },
    )

    name: str = Field(min_length=1, max_length=200, description="What it is for.")
    scopes: list[Scope] = Field(min_length=1, description="What it allows; `admin` includes the others.")
    expires_at: datetime | None = Field(default=None, description="When it ends; never by default.")
    workspace: str | None = Field(
        default=None, max_length=40, description="Id of another workspace; only for the server's admins."
    )


class TokenAnswer(BaseModel):
    """A token, without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")

    @classmethod
    def of(cls, token: Token) -> TokenAnswer:
        """As the API shows it."""
        return cls.model_validate(token.plain())


class MadeToken(TokenAnswer):
    """A token that was just made."""

    secret: str = Field(description="What clients show. It cannot be had again.")


@router.get("", summary="List the tokens")
def list_all(state: StateDep, caller: AdminDep, page: PageDep, workspace: Workspace = None) -> Listed[TokenAnswer]:
    """Without their secrets."""
    found = Tokens(state.database, _workspace(state, caller, workspace)).list()
    ordered = part_of(found, page, key=lambda token: f"{token.created_at.isoformat()} {token.id}")
    return Listed(items=[TokenAnswer.of(token) for token in ordered.items], next=ordered.next)


@router.post("", status_code=201, summary="Make a token")
def create(new: NewToken, state: StateDep, caller: AdminDep) -> MadeToken:
    """The secret is in this answer and nowhere else: only a hash of it is kept."""
    made = create_token(
        state.database,
        _workspace(state, caller, new.workspace),
        name=new.name,
        scopes=[scope for scope in SCOPES if scope in new.scopes],
        expires_at=new.expires_at,
    )
    return MadeToken.model_validate({**made.token.plain(), "secret": made.secret})


@router.delete("/{token_id}", status_code=204, summary="Revoke a token")
def delete(token_id: str, state: StateDep, caller: AdminDep, workspace: Workspace = None) -> None:
    """It is not valid any more from now on."""
    Tokens(state.database, _workspace(state, caller, workspace)).delete(token_id)


def _workspace(state: AppState, caller: Caller, wanted: str | None) -> str:
    """The workspace that is meant: the caller's own, or any for the server's admins.

    To all others there is no other workspace than their own.
    """
    if wanted is None or wanted == caller.workspace_id:
        return caller.workspace_id
    if caller.workspace_id != state.home:
        raise NotFoundError(f"There is no workspace {wanted}.")
    return Workspaces(state.database).get(wanted).id
