"""AIKON's worker API (``contracts.md``, 2), under both prefixes that are in use."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from starlette.concurrency import run_in_threadpool

from limner.core.errors import TooLargeError, UsageError
from limner.operations.foreign.model_files import models_by_name
from limner.operations.foreign.regions import parse_postprocess
from limner.operations.foreign.tracking import ExperimentDesk, Start, members_from
from limner.operations.jobs.queue import queue_report
from limner.server.addresses import base_of
from limner.server.api.jobs import desk_of
from limner.server.auth import Caller
from limner.server.bodies import as_json, unusable
from limner.server.deps import AnnotatorDep, CallerDep, StateDep
from limner.server.foreign import ForeignAPI
from limner.server.state import AppState
from limner.server.values import PathId, ShortText, Text

router = APIRouter(tags=["aikon"])

#: The same API under each: an older and a newer name of one worker.
PREFIXES = ("regions", "region_extraction")
#: Largest request to start an experiment, bytes.
_MOST = 20_000_000
_EXAMPLE: dict[str, JsonValue] = {
    "experiment_id": "12",
    "notify_url": "https://app.example/notify",
    "model": "illustration_extraction.pt",
    "documents": [{"type": "iiif", "src": "https://lib.example/manifest.json", "uid": "wit1_man1"}],
}


class StartFields(BaseModel):
    """What AIKON sends to start an experiment; fields that are not known are passed over."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"example": _EXAMPLE})

    experiment_id: ShortText | int = ""
    notify_url: Text | None = None
    documents: Any
    model: ShortText | None = None
    postprocess: Any = None
    parameters: dict[str, Any] | None = None

    def asked(self, prefix: str) -> Start:
        """The experiment; raises `UsageError`."""
        options = self.model_dump() if self.parameters is None else self.parameters
        return Start(
            experiment_id=str(self.experiment_id),
            documents=members_from(self.documents),
            model=_model_of(options),
            notify_url=self.notify_url or None,
            postprocess=parse_postprocess(options.get("postprocess")),
            prefix=prefix,
        )


class TrackingAnswer(BaseModel):
    """An experiment that was taken."""

    tracking_id: str
    experiment_id: str


class LogAnswer(BaseModel):
    """How an experiment is going."""

    tracking_id: str
    log: dict[str, Any]


_OPENAPI = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": StartFields.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in StartFields.model_fields},
                    "required": ["documents"],
                }
            },
        },
    }
}


def _model_of(options: dict[str, Any]) -> str | None:
    model = options.get("model")
    if model is not None and (not isinstance(model, str) or len(model) > 500):
        raise UsageError("`model` is no file name.")
    return model or None


async def _fields(request: Request) -> StartFields:
    """The body, JSON or a form; in a form, objects and lists are JSON as text."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
            async with request.form(max_files=0, max_fields=50, max_part_size=_MOST) as form:
                return StartFields.model_validate({name: _read(name, str(value)) for name, value in form.items()})
        return StartFields.model_validate_json(await _limited(request))
    except ValidationError as error:
        raise unusable(error) from error


def _read(name: str, value: str) -> object:
    return (as_json(value) if value else None) if name in ("documents", "parameters") else value


async def _limited(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST:
            raise TooLargeError(f"The request is larger than {_MOST:,} bytes.")
    return bytes(body)


def _desk(state: AppState, caller: Caller) -> ExperimentDesk:
    return ExperimentDesk(desk_of(state, caller))


async def start(request: Request, state: StateDep, caller: AnnotatorDep) -> TrackingAnswer:
    """Regions are looked for in each document; `notify_url` is told when it begins, how far it is, and its end."""
    asked = (await _fields(request)).asked(request.url.path.split("/")[-2])
    job = await run_in_threadpool(_desk(state, caller).start, asked, base_of(request, state.settings))
    return TrackingAnswer(tracking_id=job.id, experiment_id=asked.experiment_id)


def status(tracking_id: PathId, state: StateDep, caller: CallerDep) -> LogAnswer:
    """`PENDING`, `PROGRESS`, `SUCCESS` or `ERROR`, and what there is to say."""
    return LogAnswer(tracking_id=tracking_id, log=_desk(state, caller).log(tracking_id))


def cancel(tracking_id: PathId, state: StateDep, caller: AnnotatorDep) -> LogAnswer:
    """It stops within two seconds; one that has ended stays as it is."""
    desk = _desk(state, caller)
    desk.cancel(tracking_id)
    return LogAnswer(tracking_id=tracking_id, log=desk.log(tracking_id))


def models(state: StateDep, caller: CallerDep) -> dict[str, dict[str, str]]:
    """By the name that `model` takes, with or without `.pt`."""
    found = models_by_name(state.services.libraries.of(caller.workspace_id))
    return {
        name: {"name": bundle.title or name, "model": name, "desc": bundle.description}
        for name, bundle in found.items()
    }


def qsizes(state: StateDep, caller: CallerDep) -> dict[str, Any]:
    """How many parts of jobs wait."""
    report = queue_report(state.database, state.engine, caller.workspace_id)
    return {"queues": {"regions": {"name": "regions", "size": report.waiting}}}


def monitor(state: StateDep, caller: CallerDep) -> dict[str, Any]:
    """What waits and what is being worked on."""
    return {**_desk(state, caller).monitor(), **qsizes(state, caller)}


def delete(
    doc: Annotated[Text, Path(max_length=200, description="Name of a document, as `uid` said.")],
    state: StateDep,
    caller: AnnotatorDep,
    model_name: Annotated[ShortText | None, Query(description="Only what this model found.")] = None,
) -> dict[str, Any]:
    """What was found in a document is forgotten; the answer says in how many experiments there was something."""
    return {"deleted": _desk(state, caller).forget(doc, model_name or None)}


def dataset(tracking_id: PathId, state: StateDep, caller: CallerDep) -> dict[str, Any]:
    """The documents of an experiment."""
    return _desk(state, caller).dataset(tracking_id)


def result(
    tracking_id: PathId,
    number: Annotated[int, Path(ge=0, le=1_000_000, description="Place of the document in the request, from 0.")],
    name: Annotated[str, Path(description="Model and experiment, joined by `+`.")],  # noqa: ARG001
    state: StateDep,
    caller: CallerDep,
) -> StreamingResponse:
    """A list with an entry for each image, in the order of the canvases."""
    pieces = _desk(state, caller).regions(tracking_id, number)
    return StreamingResponse(pieces, media_type="application/json")


for _prefix in PREFIXES:
    for _path, _method, _act, _summary in (
        ("start", "POST", start, "Start an experiment"),
        ("models", "GET", models, "List the models"),
        ("qsizes", "GET", qsizes, "See how much waits"),
        ("monitor", "GET", monitor, "See what is going on"),
        ("{tracking_id}/status", "GET", status, "Look at an experiment"),
        ("{tracking_id}/cancel", "POST", cancel, "Cancel an experiment"),
        ("{tracking_id}/dataset", "GET", dataset, "List the documents of an experiment"),
        ("{doc}/delete", "POST", delete, "Forget what was found in a document"),
        ("{tracking_id}/results/{number}/{name}", "GET", result, "Get the regions of a document"),
    ):
        router.add_api_route(
            f"/{_prefix}/{_path}",
            _act,
            methods=[_method],
            name=f"{_prefix}_{_act.__name__}",
            summary=_summary,
            openapi_extra=_OPENAPI if _act is start else None,
        )

API = ForeignAPI(router=router, tokenless=True)
