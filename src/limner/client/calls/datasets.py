"""Datasets of the workspace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from limner.annotations.annotation import Json
from limner.client import answers
from limner.client.call import Call, content, filled, nothing, path
from limner.client.calls.annotate import uploads
from limner.client.calls.documents import DocumentRef
from limner.client.values import Dataset, DatasetPage, Document, Listing, Values
from limner.core.errors import UsageError


def upload(
    name: str,
    file: str | Path,
    *,
    format: str | None = None,  # noqa: A002 - what the API calls it
    labels: Mapping[str, str | None] | None = None,
    **wishes: Json,
) -> Call[Dataset]:
    """Take in a zip file of annotations and images; a name that exists gets its next version.

    ``labels`` says what labels become, None for those left out. ``wishes`` are the other fields of the API, such
    as ``append=True`` or ``shares={"train": 0.8, "val": 0.2, "test": 0}``.
    """
    form = {"name": name, **filled(format=format), **{key: _field(value) for key, value in wishes.items()}}
    if labels:
        form["labels"] = json.dumps(dict(labels))
    read, sent = answers.one(answers.dataset), uploads([Path(file)])
    return Call(method="POST", path=path("datasets"), read=read, form=form, files=sent, repeatable=False)


def _field(value: Json) -> str:
    """A value as a form has it; lists of texts with commas between."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(str, value))
    return json.dumps(value)


def create(
    name: str,
    *,
    documents: Iterable[DocumentRef] = (),
    datasets: Iterable[str] = (),
    url: str | None = None,
    received: str | None = None,
    labels: Mapping[str, str | None] | None = None,
    **wishes: Json,
) -> Call[Dataset]:
    """Make a dataset of the reviewed pages of documents, of other datasets, or of a zip file at an address.

    ``received`` is the id that ``/send-dataset`` answered with; ``wishes`` are the other fields of the API.
    """
    ids: list[Json] = [each.id if isinstance(each, Document) else each for each in documents]
    refs: list[Json] = [*datasets]
    origins: dict[str, Json] = {"documents": ids, "datasets": refs, "url": url, "received": received}
    named: dict[str, Json] = {key: value for key, value in origins.items() if value}
    if len(named) != 1:
        raise UsageError("A dataset is made of documents, of datasets, of an address or of what was received.")
    body: dict[str, Json] = {"name": name, **named, **wishes}
    if labels:
        body["labels"] = dict(labels)
    read = answers.one(answers.dataset)
    return Call(method="POST", path=path("datasets"), read=read, body=body, repeatable=False)


def listed() -> Call[Listing[Dataset]]:
    """Every version of each dataset, by name."""
    return Call(method="GET", path=path("datasets"), read=answers.listing(answers.dataset))


def get(dataset: str) -> Call[Dataset]:
    """One dataset with its figures, by name or ``name@version``; raises `NotFoundError`."""
    return Call(method="GET", path=path("datasets", dataset), read=answers.one(answers.dataset))


def pages(dataset: str, *, split: str | None = None, label: str | None = None) -> Call[Listing[DatasetPage]]:
    """The pages of a dataset, of one split or with one label where these are given."""
    read, params = answers.listing(answers.dataset_page), filled(split=split, label=label)
    return Call(method="GET", path=path("datasets", dataset, "pages"), params=params, read=read)


def duplicates(dataset: str, *, within: int | None = None, across: bool = True) -> Call[Listing[Values]]:
    """Pages that look the same, two by two, as JSON values; ``across``: only those in different splits."""
    params = {**filled(within=within), "across": str(across).lower()}
    return Call(method="GET", path=path("datasets", dataset, "duplicates"), params=params, read=answers.listing(dict))


def image(dataset: str, index: int, *, side: int | None = None, marked: bool = True) -> Call[bytes]:
    """A picture of a page as JPEG, what is on it drawn in; ``side`` is its longer side, pixels."""
    params = {**filled(side=side), "marked": str(marked).lower()}
    return Call(method="GET", path=path("datasets", dataset, "pages", index, "image"), params=params, read=content)


def split(dataset: str, *, train: float = 0.7, val: float = 0.15, test: float = 0.15, seed: int = 0) -> Call[Dataset]:
    """Make the next version with other splits; pages of one document stay together."""
    body: dict[str, Any] = {"shares": {"train": train, "val": val, "test": test}, "seed": seed}
    read, where = answers.one(answers.dataset), path("datasets", dataset, "split")
    return Call(method="POST", path=where, read=read, body=body, repeatable=False)


def export_file(dataset: str, format: str) -> Call[bytes]:  # noqa: A002 - what the API calls it
    """A zip file of the dataset with its images in an output format."""
    return Call(method="GET", path=path("datasets", dataset, "export"), params={"format": format}, read=content)


def delete(dataset: str) -> Call[None]:
    """Delete one version."""
    return Call(method="DELETE", path=path("datasets", dataset), read=nothing)
