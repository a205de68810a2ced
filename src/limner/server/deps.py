"""What routes ask for, as named types: ``StateDep``, ``CallerDep``, ``AnnotatorDep``, ``PageDep``, …"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from limner.core.errors import NotAllowedError, NoTokenError
from limner.core.settings import Settings
from limner.server.auth import Caller
from limner.server.state import AppState


def state_of(request: Request) -> AppState:
    """What the application holds."""
    return cast("AppState", request.app.state.limner)


async def _state(request: Request) -> AppState:
    return state_of(request)


StateDep = Annotated[AppState, Depends(_state)]


async def _settings(state: StateDep) -> Settings:
    return state.settings


SettingsDep = Annotated[Settings, Depends(_settings)]

# Only for the OpenAPI: the middleware has looked at the headers before the body was read.
_BEARER = HTTPBearer(auto_error=False, scheme_name="Bearer", description="A token, or a JWT where these are set up.")
_API_KEY = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="X-API-Key", description="The same token.")


async def _caller(
    request: Request,
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    _key: Annotated[str | None, Security(_API_KEY)],
) -> Caller:
    caller = request.scope.get("state", {}).get("caller")
    if not isinstance(caller, Caller):
        raise NoTokenError
    return caller


#: Whoever shows a valid token.
CallerDep = Annotated[Caller, Depends(_caller)]


async def _annotator(caller: CallerDep) -> Caller:
    caller.require("annotate")
    return caller


async def _trainer(caller: CallerDep) -> Caller:
    caller.require("train")
    return caller


async def _admin(caller: CallerDep) -> Caller:
    caller.require("admin")
    return caller


#: A caller who may annotate.
AnnotatorDep = Annotated[Caller, Depends(_annotator)]
#: A caller who may train.
TrainerDep = Annotated[Caller, Depends(_trainer)]
#: A caller who may do everything in its workspace.
AdminDep = Annotated[Caller, Depends(_admin)]


async def _server_admin(caller: AdminDep, state: StateDep) -> Caller:
    if caller.workspace_id != state.home:
        raise NotAllowedError("Only an admin of the workspace 'default' may do this.")
    return caller


#: An admin of the workspace ``default``, who looks after the server.
ServerAdminDep = Annotated[Caller, Depends(_server_admin)]


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which part of a list is wanted."""

    limit: Annotated[int, Query(ge=1, le=200, description="Most items in the answer.")] = 50
    cursor: Annotated[str | None, Query(max_length=500, description="`next` of the answer before.")] = None


#: ``?limit=…&cursor=…``
PageDep = Annotated[PageQuery, Depends()]
