"""Datasets that extractorAPI's clients sent to ``/send-dataset``, taken in."""

from __future__ import annotations

import re

from limner.core.errors import NotFoundError
from limner.operations.datasets.gathering import Imported, Wishes
from limner.operations.datasets.importing import How, import_place
from limner.operations.datasets.places import Zipped
from limner.operations.documents.uploads import local_file
from limner.operations.foreign.yolo_uploads import ABOUT_FILE, YAML_FILE, ZIP_FILE, incoming_folder
from limner.sources.protocol import SourceContext
from limner.storage.blobs import Blobs
from limner.training.datasets.store import DatasetStore


def import_received(
    blobs: Blobs, workspace_id: str, received_id: str, store: DatasetStore, wishes: Wishes, context: SourceContext
) -> Imported:
    """Take a dataset in by the id that was answered when it was sent; raises `NotFoundError`, or as an import does.

    It stays where it was kept, to be taken in again.
    """
    folder = f"{incoming_folder(workspace_id)}/{received_id}"
    if not re.fullmatch(r"[0-9a-f]{32}", received_id) or not blobs.exists(f"{folder}/{ABOUT_FILE}"):
        raise NotFoundError(f"There is no dataset that was sent as {received_id[:40]!r}.")
    local = local_file(blobs, f"{folder}/{ZIP_FILE}", ZIP_FILE)
    extra = {YAML_FILE: blobs.read(f"{folder}/{YAML_FILE}")}
    place = Zipped.open(local.path, ZIP_FILE, context.settings, extra)
    return import_place(place, store, wishes, How(format="yolo"), context, source=f"/send-dataset {received_id}")
