"""Label Studio's machine-learning backend (contracts, 7)."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from limner.core.errors import UsageError
from limner.operations.foreign.labelstudio.backend import Backend, LabelTask, Wanted
from limner.operations.foreign.labelstudio.config import parse_config
from limner.operations.foreign.labelstudio.exchange import LateSender
from limner.operations.foreign.labelstudio.projects import Project, Projects, project_id
from limner.operations.foreign.labelstudio.training import ProjectTraining, job_state
from limner.operations.jobs.desk import check_address
from limner.server.addresses import base_of
from limner.server.api.runs import run_desk
from limner.server.auth import Caller
from limner.server.deps import AnnotatorDep, CallerDep, StateDep
from limner.server.foreign import ForeignAPI
from limner.server.state import AppState
from limner.server.values import ShortText, Text

router = APIRouter(tags=["labelstudio"])
API = ForeignAPI(router=router, tokenless=True)

#: Length of a run's id.
_RUN = 32

ProjectNumber = Annotated[str | int | float | None, Field(description="`12` or `12.1700000000`.")]


class _Fields(BaseModel):
    #: Label Studio adds fields from release to release.
    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class ExtraParams(_Fields):
    """What people may write into the extra parameters of the connection."""

    model: ShortText | None = Field(default=None, description="Name, `name@version` or alias.")
    threshold: float | None = Field(default=None, ge=0, le=1, description="Least score.")


class SetUp(_Fields):
    """A project that is connected."""

    project: ProjectNumber = None
    label_schema: Text | None = Field(default=None, alias="schema", description="The labelling configuration.")
    hostname: Text | None = Field(default=None, max_length=2000)
    access_token: Text | None = Field(default=None, max_length=2000)
    extra_params: ExtraParams | Text | None = Field(default=None, description="A table, or JSON of one.")


class Task(_Fields):
    """An image to be labelled."""

    id: int | ShortText | None = None
    data: dict[str, Any] = {}


class Predict(_Fields):
    """Tasks to be predicted for."""

    tasks: list[Task]
    project: ProjectNumber = None
    label_config: Text
    model_version: ShortText | None = None


class Version(BaseModel):
    """Which model answers."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str


class Predictions(BaseModel):
    """One for each task."""

    results: list[dict[str, Any]]


class Health(BaseModel):
    """That somebody is there."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["UP"] = "UP"
    model_class: str = "Limner"


class Hook(_Fields):
    """Something that happened in Label Studio."""

    action: str
    project: dict[str, Any] | None = None


class Checked(_Fields):
    """A labelling configuration to be looked at."""

    config: Text | None = None


def _backend(state: AppState, caller: Caller) -> Backend:
    return Backend(
        database=state.database,
        services=state.services,
        later=state.later,
        workspace_id=caller.workspace_id,
        sender=LateSender(state.settings),
        patience=state.settings.labelstudio_wait,
    )


@router.get("/health", summary="See whether somebody is there")
async def health(_: CallerDep) -> Health:
    """Answers at once."""
    return Health()


@router.post("/setup", summary="Connect a project")
def setup(new: SetUp, state: StateDep, caller: AnnotatorDep) -> Version:
    """Remembers where Label Studio is and what it lets us in with. No model is loaded."""
    extra = _extra(new.extra_params)
    hostname = (new.hostname or "").strip().rstrip("/")
    if hostname:
        check_address(hostname)
    project = Project(
        id=project_id(new.project),
        hostname=hostname,
        access_token=(new.access_token or "").strip(),
        model=extra.model,
        threshold=extra.threshold,
    )
    return Version(model_version=_backend(state, caller).set_up(project, new.label_schema).ref)


def _extra(given: ExtraParams | str | None) -> ExtraParams:
    """The extra parameters, which older releases send as text."""
    if not isinstance(given, str):
        return given or ExtraParams()
    if not given.strip():
        return ExtraParams()
    try:
        return ExtraParams.model_validate(json.loads(given))
    except (ValueError, RecursionError) as error:
        raise UsageError(
            "The extra parameters cannot be read.", hint='Write {"model": "NAME", "threshold": 0.5}, or nothing.'
        ) from error


@router.post("/predict", summary="Predict for tasks")
async def predict(asked: Predict, state: StateDep, caller: AnnotatorDep) -> Predictions:
    """Exactly one prediction for each task. What takes longer than Label Studio waits is empty, and sent later."""
    wanted = Wanted(
        tasks=[LabelTask(task.id, task.data) for task in asked.tasks],
        project=project_id(asked.project),
        label_config=asked.label_config,
        model_version=asked.model_version,
    )
    return Predictions(results=[dict(each.plain()) for each in await _backend(state, caller).predict(wanted)])


@router.post("/webhook", status_code=201, summary="Hear what happened")
def webhook(request: Request, hook: Hook, state: StateDep, caller: AnnotatorDep) -> dict[str, Any]:
    """Annotations that people make are fetched when they are learnt from, which a wish for training begins."""
    if hook.action != "START_TRAINING":
        return {"status": "ok", "result": {}}
    identity, projects = project_id((hook.project or {}).get("id")), Projects(state.database, caller.workspace_id)
    project = projects.find(identity)
    if not caller.may("train"):
        return {"status": "not allowed", "result": {}, "detail": "The token of this connection may not train."}
    projects.asked_to_train(identity)
    told = (hook.project or {}).get("label_config")
    training = ProjectTraining(
        run_desk(state, caller), project, told if isinstance(told, str) else None, base_of(request, state.settings)
    )
    try:
        training.start()
    except UsageError as error:
        projects.note_training(identity, run=None, error=str(error))
        return {"status": "not available", "result": {}, "detail": str(error)}
    return {"status": "started", "result": {}, "job": identity}


@router.get("/versions", summary="List the versions of models")
def versions(state: StateDep, caller: AnnotatorDep) -> dict[str, Any]:
    """All models of the workspace: the one that people choose in Label Studio is the one that predicts."""
    library = state.services.libraries.of(caller.workspace_id)
    return {"versions": [bundle.ref for bundle in library.list()]}


class Asked(_Fields):
    """A training that is asked about."""

    job: ShortText | None = Field(default=None, description="Number of the project, or id of the run.")


@router.get("/job_status", name="see_job", summary="Ask how far a training is")
def see_job(state: StateDep, caller: AnnotatorDep, job: ShortText | None = None) -> dict[str, Any]:
    """Of a project, by its number, or of a run."""
    return _job_state(state, caller, job)


@router.post("/job_status", name="ask_job", summary="Ask how far a training is")
def ask_job(state: StateDep, caller: AnnotatorDep, asked: Asked | None = None) -> dict[str, Any]:
    """Of a project, by its number, or of a run."""
    return _job_state(state, caller, None if asked is None else asked.job)


def _job_state(state: AppState, caller: Caller, job: str | None) -> dict[str, Any]:
    desk = run_desk(state, caller)
    if job is None or len(job) == _RUN:
        return job_state(desk, job, None)
    project = Projects(state.database, caller.workspace_id).find(project_id(job))
    if project.training_asked_at and not (project.training_run or project.training_error):
        return {"job_status": "queued", "error": None}
    return job_state(desk, project.training_run, project.training_error)


@router.get("/validate", summary="See whether configurations can be looked at")
async def can_validate(_: AnnotatorDep) -> dict[str, Any]:
    """They can: with POST."""
    return {"status": "ok"}


@router.post("/validate", summary="Look at a labelling configuration")
async def validate(checked: Checked, _: AnnotatorDep) -> dict[str, Any]:
    """What of a configuration would be filled in; 400 where nothing would."""
    if checked.config is None:
        return {"status": "ok"}
    config = await run_in_threadpool(parse_config, checked.config)
    controls = [{"name": each.name, "type": each.kind, "labels": [*each.labels]} for each in config.controls.values()]
    return {"status": "ok", "image": config.image, "key": config.key, "controls": controls}
