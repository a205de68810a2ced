"""From a request to a dataset: whichever of its origins it names."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from limner.core.errors import UsageError
from limner.models.bundle import checked_name
from limner.operations.datasets.desk import derive, workspace_datasets
from limner.operations.datasets.documents import import_documents
from limner.operations.datasets.gathering import Imported
from limner.operations.datasets.importing import import_dataset, import_place, place_of_file
from limner.operations.datasets.received import import_received
from limner.operations.documents.uploads import Upload
from limner.server.api.dataset_fields import NewDatasetFields
from limner.server.auth import Caller
from limner.server.bodies import Body
from limner.server.state import AppState
from limner.sources.naming import safe_name
from limner.sources.urls import is_address
from limner.storage.documents import Documents
from limner.training.datasets.store import DatasetStore

_BLOCK = 1 << 20


def take_in(state: AppState, caller: Caller, body: Body[NewDatasetFields]) -> Imported:
    """The dataset that a request asks for; blocks. Raises `UsageError` where it names no origin, or two."""
    fields = body.fields
    checked_name(fields.name, "a dataset")
    named = (fields.url, fields.documents, fields.received, fields.datasets)
    if len(body.files) > 1 or (body.files and any(each is not None for each in named)):
        raise UsageError("A dataset is made of one thing.", hint="Send one file, or name its origin.")
    store = workspace_datasets(state.settings, caller.workspace_id)
    if body.files:
        return _sent(state, store, body.files[0], fields)
    return _named(state, caller, store, fields)


def _sent(state: AppState, store: DatasetStore, upload: Upload, fields: NewDatasetFields) -> Imported:
    name = safe_name(upload.name.replace("\\", "/").rpartition("/")[2], "dataset")
    with tempfile.TemporaryDirectory(prefix="limner-dataset-") as folder:
        path = Path(folder) / "sent"
        with path.open("wb") as file:
            upload.file.seek(0)
            shutil.copyfileobj(upload.file, file, _BLOCK)
        place = place_of_file(path, name, state.settings)
        return import_place(place, store, fields.wishes(), fields.how(), state.services.sources, source=name)


def _named(state: AppState, caller: Caller, store: DatasetStore, fields: NewDatasetFields) -> Imported:
    wishes, context = fields.wishes(), state.services.sources
    if fields.documents is not None:
        stored = Documents(state.database, caller.workspace_id)
        ids = fields.documents
        return import_documents(stored, state.blobs, ids, store, wishes, context, reviewed=fields.reviewed)
    if fields.received is not None:
        return import_received(state.blobs, caller.workspace_id, fields.received, store, wishes, context)
    if fields.datasets is not None:
        return derive(store, fields.datasets, wishes)
    if fields.url is None or not is_address(fields.url):
        raise UsageError(
            "There is nothing to make a dataset of.",
            hint="Send a zip file as `file`, or name `url`, `documents`, `received` or `datasets`.",
        )
    return import_dataset(fields.url, store, wishes, fields.how(), context)
