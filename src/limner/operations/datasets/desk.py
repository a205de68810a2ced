"""Datasets as people ask for them: found, shown with figures, split anew, merged, relabelled, removed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from PIL import Image

from limner.annotations.annotation import Json
from limner.annotations.drawing.overlay import draw_overlay
from limner.core.errors import DatasetError, NotFoundError, UsageError
from limner.core.settings import Settings
from limner.operations.datasets.gathering import Imported, Wishes
from limner.operations.library import workspace_folder
from limner.sources.decode import decode_file
from limner.sources.protocol import Want
from limner.training.datasets.dataset import Dataset, DatasetPage
from limner.training.datasets.labels import LabelMap, renamed
from limner.training.datasets.merging import extended, merged
from limner.training.datasets.splits import Shares, assign
from limner.training.datasets.store import DatasetCard, DatasetStore

#: Folder of the datasets, below the data of a workspace or of a machine without a server.
FOLDER = "datasets"


def local_datasets(settings: Settings) -> DatasetStore:
    """The datasets of this machine, without a server."""
    return DatasetStore(settings.data / FOLDER)


def workspace_datasets(settings: Settings, workspace_id: str) -> DatasetStore:
    """The datasets of a workspace of a server."""
    return DatasetStore(workspace_folder(settings.data, workspace_id) / FOLDER)


def opened(store: DatasetStore, ref: str) -> Dataset:
    """A dataset, read once for many requests; raises `DatasetNotFoundError`."""
    card = store.card(ref)
    return _opened(store.folder, f"{card.name}@{card.version}", card.sha256)


@lru_cache(maxsize=4)
def _opened(folder: Path, ref: str, _sha256: str) -> Dataset:
    # The hash is part of the key: a version that was removed leaves its number to another.
    return DatasetStore(folder).get(ref)


def plain_card(card: DatasetCard) -> dict[str, Json]:
    """What is said of a version, as JSON values."""
    return {
        "ref": f"{card.name}@{card.version}",
        "name": card.name,
        "version": card.version,
        "title": card.title,
        "labels": [*card.labels],
        "pages": {**card.pages},
        "annotations": card.annotations,
        "sha256": card.sha256,
        "licence": card.licence,
        "source": card.source,
        "created_at": card.created_at.isoformat(),
    }


def split_anew(store: DatasetStore, ref: str, shares: Shares, seed: int = 0) -> Dataset:
    """Another version of a dataset, with other splits."""
    dataset = store.get(ref)
    return store.add(replace(dataset, version="", pages=assign(dataset.pages, shares, seed)))


def relabel(store: DatasetStore, ref: str, changes: LabelMap, name: str | None = None) -> Dataset:
    """Another version of a dataset, or one of another name, with other labels."""
    dataset = renamed(store.get(ref), changes)
    return store.add(replace(dataset, name=name or dataset.name))


def merge(store: DatasetStore, refs: Sequence[str], name: str) -> Dataset:
    """Several datasets as one; raises `UsageError` for fewer than two."""
    if len(refs) < 2:
        raise UsageError("It takes two datasets to merge.")
    return store.add(merged([store.get(ref) for ref in refs], name))


def derive(store: DatasetStore, refs: Sequence[str], wishes: Wishes) -> Imported:
    """One dataset of one or several others, relabelled and split anew where that is wished for."""
    found = [store.get(ref) for ref in dict.fromkeys(refs)]
    made = merged(found, wishes.name) if len(found) > 1 else replace(found[0], name=wishes.name, version="")
    if wishes.labels.changes:
        made = renamed(made, wishes.labels)
    if wishes.resplit:
        made = replace(made, pages=assign(made.pages, wishes.shares, wishes.seed))
    if wishes.append and store.versions(wishes.name):
        made = extended(store.get(wishes.name), made)
    made = replace(made, title=wishes.title or made.title, licence=wishes.licence or made.licence)
    return Imported(dataset=store.add(made), format="", kept_splits=not wishes.resplit, problems=())


def page_at(dataset: Dataset, index: int) -> DatasetPage:
    """A page by its position, from 0; raises `NotFoundError`."""
    if not 0 <= index < len(dataset.pages):
        raise NotFoundError(f"{dataset.ref} has no page {index}; it has {len(dataset.pages)}, counted from 0.")
    return dataset.pages[index]


def thumbnail(dataset: Dataset, page: DatasetPage, settings: Settings, side: int, *, marked: bool = True) -> bytes:
    """A small JPEG of a page, what is on it drawn in; ``side`` is that of its longer side, pixels."""
    path: Path = dataset.image_path(page)
    if not path.is_file():
        raise DatasetError(f"The image of {page.page.name} is gone from the dataset {dataset.ref}.")
    image = Image.fromarray(decode_file(path, Want(side), settings, name=page.page.name).pixels)
    image.thumbnail((side, side), reducing_gap=2.0)
    if marked:
        image = draw_overlay(image, page.annotations, (page.page.width, page.page.height))
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=85)
    return out.getvalue()
