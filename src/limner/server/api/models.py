"""Models: those of the workspace, and those shared by all."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParam
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from limner.core.errors import UsageError
from limner.models.importers.protocol import Wishes
from limner.operations.library import WorkspaceStore
from limner.operations.models import (
    ModelSummary,
    list_models,
    remove_model,
    set_alias,
    show_model,
    try_model,
)
from limner.server.auth import Caller
from limner.server.deps import AdminDep, CallerDep, PageDep, StateDep
from limner.server.paging import Listed, part_of
from limner.server.state import AppState
from limner.sources.naming import safe_name

router = APIRouter(prefix="/v1/models", tags=["models"])

Ref = Annotated[str, PathParam(max_length=200, description="Name, `name@version` or alias.")]
Alias = Annotated[str, PathParam(max_length=64, description="`default` is used where no model is named.")]

_CARD: JsonDict = {
    "ref": "page-elements@2",
    "name": "page-elements",
    "version": "2",
    "task": "detect",
    "labels": ["illustration", "text"],
    "aliases": ["default"],
    "built_in": False,
    "shared": False,
}


class ModelAnswer(BaseModel):
    """A model: what its `bundle.json` says (`docs/reference/bundle.md`), and how it stands here."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": _CARD})

    ref: str = Field(description="Name and version.")
    name: str
    version: str
    task: str = Field(description="`detect`, `segment` or `ocr`.")
    labels: list[str]
    aliases: list[str] = Field(description="Aliases that stand for it now.")
    built_in: bool = Field(description="Whether it ships with Limner.")
    shared: bool = Field(description="Whether all workspaces have it; such a model is not changed over the API.")
    size: int | None = Field(description="Bytes of its weights.")
    memory: int = Field(description="Memory that it is reckoned to take when loaded, bytes.")

    @classmethod
    def of(cls, summary: ModelSummary, store: WorkspaceStore) -> ModelAnswer:
        """As the API shows it."""
        bundle = summary.bundle
        # What the bundle says stands first, so that it cannot speak over what is known here.
        return cls.model_validate(
            {
                **bundle.model_dump(mode="json"),
                "ref": bundle.ref,
                "aliases": summary.aliases,
                "built_in": summary.built_in,
                "shared": bundle.folder is None or not bundle.folder.is_relative_to(store.folder),
                "size": summary.size,
                "memory": summary.memory,
            }
        )


class AliasTarget(BaseModel):
    """What an alias is to stand for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"model": "page-elements@2"}})

    model: str = Field(min_length=1, max_length=200, description="Name (its newest version) or `name@version`.")


class RollbackAnswer(BaseModel):
    """What an alias stands for again."""

    alias: str
    model: str | None = Field(description="Null where the workspace had no such alias.")


class TrialAnswer(BaseModel):
    """What came of trying a model."""

    ref: str
    hash_matches: bool | None = Field(description="Whether its weights are those that its bundle names.")
    providers: list[str] = Field(description="What executes it, best first.")
    load_seconds: float
    first_seconds: float = Field(description="The first prediction, which is often slower.")
    seconds: float = Field(description="The median of those after it.")
    annotations: int = Field(description="How many it made of a drawn picture.")


@router.get("", summary="List the models")
def list_all(state: StateDep, caller: CallerDep, page: PageDep) -> Listed[ModelAnswer]:
    """The workspace's own and those shared by all, by name and version."""
    store = _store(state, caller)
    found = part_of(list_models(store), page, key=lambda summary: summary.bundle.ref)
    return Listed(items=[ModelAnswer.of(summary, store) for summary in found.items], next=found.next)


_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "A bundle as zip, or a file that an importer knows: ONNX, a checkpoint, "
                            "or a zip file of what belongs together.",
                        },
                        "name": {"type": "string", "description": "Name to give it; the file's by default."},
                        "version": {"type": "string"},
                        "labels": {"type": "string", "description": "In the network's order, separated by commas."},
                        "kind": {"type": "string", "description": "Name of an importer, where it cannot be told."},
                        "config": {"type": "string", "description": "Name of a configuration that the importer knows."},
                        "replace": {"type": "boolean", "description": "Replace one of the same name and version."},
                    },
                }
            }
        },
    }
}


@router.post("", status_code=201, summary="Upload a model", openapi_extra=_UPLOAD)
async def upload(request: Request, response: Response, state: StateDep, caller: AdminDep) -> ModelAnswer:
    """It is converted where it is no bundle, loaded and tried once, all in a process of its own with limits of
    memory and time; then it is installed, for this workspace alone. The answer comes when that is done.
    """
    async with request.form(max_files=1, max_fields=10) as form:
        ref = await _add(_read_form(form), state, caller)
    response.headers["Location"] = f"/v1/models/{ref}"
    return await run_in_threadpool(_show, ref, state, caller)


@router.get("/{ref}", summary="One model")
def show(ref: Ref, state: StateDep, caller: CallerDep) -> ModelAnswer:
    """Its card."""
    return _show(ref, state, caller)


@router.delete("/{ref}", status_code=204, summary="Remove a model")
def remove(ref: Ref, state: StateDep, caller: AdminDep) -> None:
    """One of the workspace's own, unless an alias needs it."""
    remove_model(_store(state, caller), ref)


@router.put("/aliases/{alias}", summary="Set an alias")
def put_alias(alias: Alias, target: AliasTarget, state: StateDep, caller: AdminDep) -> ModelAnswer:
    """Let another name stand for a model in this workspace; the alias `default` is used where none is named."""
    set_alias(_store(state, caller), alias, target.model)
    return _show(alias, state, caller)


@router.delete("/aliases/{alias}", status_code=204, summary="Forget an alias")
def delete_alias(alias: Alias, state: StateDep, caller: AdminDep) -> None:
    """One of this workspace."""
    set_alias(_store(state, caller), alias, None)


@router.post("/aliases/{alias}/rollback", summary="Set an alias back")
def rollback(alias: Alias, state: StateDep, caller: AdminDep) -> RollbackAnswer:
    """Let it stand for what it stood for before; each call goes one step further back."""
    return RollbackAnswer(alias=alias, model=_store(state, caller).rollback(alias))


@router.post("/{ref}/test", summary="Try a model")
def test(ref: Ref, state: StateDep, caller: AdminDep) -> TrialAnswer:
    """Check its weights, load it and time it on a drawn picture."""
    with state.one_at_a_time:
        calls = state.services.model_calls
        trial = try_model(_store(state, caller), ref, threads=state.settings.threads, send=calls)
    return TrialAnswer.model_validate(trial, from_attributes=True)


def _store(state: AppState, caller: Caller) -> WorkspaceStore:
    return state.services.libraries.of(caller.workspace_id).store


def _show(ref: str, state: AppState, caller: Caller) -> ModelAnswer:
    store = _store(state, caller)
    return ModelAnswer.of(show_model(store, ref), store)


@dataclass(frozen=True, slots=True)
class _Sent:
    """An uploaded model, and what is said of it."""

    file: UploadFile
    wishes: Wishes
    kind: str | None
    replace: bool


def _read_form(form: FormData) -> _Sent:
    fields = dict(form.multi_items())
    file = fields.pop("file", None)
    if not isinstance(file, UploadFile):
        raise UsageError("There is no model.", hint="Send a bundle (zip), an ONNX file or a checkpoint as `file`.")
    if unknown := sorted(set(fields) - {"name", "version", "labels", "kind", "config", "replace"}):
        raise UsageError(f"There is no field {', '.join(unknown)[:100]} here.")
    # The name of a configuration is never a path: the importer takes it for one of those that it knows.
    texts = {name: _text(fields, name) for name in ("name", "version", "config")}
    wishes = Wishes(texts["name"], texts["version"], _labels(_text(fields, "labels")), texts["config"])
    return _Sent(file, wishes, _text(fields, "kind"), _flag(_text(fields, "replace")))


def _flag(text: str | None) -> bool:
    if text is None or text.lower() in ("false", "0", "no"):
        return False
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    raise UsageError("The field replace is true or false.")


def _text(fields: dict[str, Any], name: str) -> str | None:
    return str(fields[name]).strip() or None if name in fields else None


def _labels(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(label.strip() for label in text.split(",") if label.strip())


async def _add(sent: _Sent, state: AppState, caller: Caller) -> str:
    """Install an uploaded model; gives its name and version."""
    # Its suffix says what it is, and the rest is its name unless another is wished for.
    name = safe_name((sent.file.filename or "").replace("\\", "/").rpartition("/")[2], "model")
    with tempfile.TemporaryDirectory(prefix="limner-upload-") as folder:
        path = Path(folder) / name
        await run_in_threadpool(_copy, sent.file.file, path)
        store = _store(state, caller)
        added = await state.conversions.add(store, path, sent.wishes, kind=sent.kind, replace=sent.replace)
        return added.bundle.ref


def _copy(source: BinaryIO, path: Path) -> None:
    source.seek(0)
    with path.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
