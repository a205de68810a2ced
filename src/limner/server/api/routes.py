"""Routes: which model reads which type of document."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from limner.server.deps import AdminDep, CallerDep, PageDep, StateDep
from limner.server.paging import Listed, part_of
from limner.server.values import ShortText
from limner.storage.routes import DEFAULT, Route, Routes

router = APIRouter(prefix="/v1/routes", tags=["routes"])

#: What the API calls the type that stands for every other.
_DEFAULT = "default"

DocumentType = Annotated[
    ShortText, Path(max_length=100, description="`manuscript`, `print`, …; `default` for all that have no route.")
]


class RouteFields(BaseModel):
    """Where a type of document goes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"model": "text-regions"}})

    model: ShortText = Field(min_length=1, max_length=200, description="Name, `name@version` or alias.")


class RouteAnswer(BaseModel):
    """Documents of a type go to a model."""

    document_type: str
    model: str

    @classmethod
    def of(cls, route: Route) -> RouteAnswer:
        """As the API shows it."""
        return cls(document_type=_shown(route.document_type), model=route.model)


def _shown(document_type: str) -> str:
    return _DEFAULT if document_type == DEFAULT else document_type


def _kept(document_type: str) -> str:
    name = document_type.strip().lower()
    return DEFAULT if name == _DEFAULT else name


@router.get("", summary="List the routes")
def list_all(state: StateDep, caller: CallerDep, page: PageDep) -> Listed[RouteAnswer]:
    """By type of document."""
    found = [RouteAnswer.of(route) for route in Routes(state.database, caller.workspace_id).list()]
    return part_of(found, page, key=lambda route: route.document_type)


@router.get("/{document_type}", summary="See which model a type of document goes to")
def get(document_type: DocumentType, state: StateDep, caller: CallerDep) -> RouteAnswer:
    """Its own route, or else the default one."""
    model = Routes(state.database, caller.workspace_id).resolve(_kept(document_type))
    return RouteAnswer(document_type=_shown(_kept(document_type)), model=model)


@router.put("/{document_type}", summary="Send a type of document to a model")
def put(document_type: DocumentType, new: RouteFields, state: StateDep, caller: AdminDep) -> RouteAnswer:
    """Jobs that name the type and no model are done with that model from now on."""
    state.services.libraries.of(caller.workspace_id).get(new.model)  # raises where there is none
    return RouteAnswer.of(Routes(state.database, caller.workspace_id).set(_kept(document_type), new.model))


@router.delete("/{document_type}", status_code=204, summary="Remove a route")
def delete(document_type: DocumentType, state: StateDep, caller: AdminDep) -> None:
    """Documents of the type go to the default model again."""
    Routes(state.database, caller.workspace_id).delete(_kept(document_type))
