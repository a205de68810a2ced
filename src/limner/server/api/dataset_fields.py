"""What requests for datasets and their answers hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from limner.operations.datasets.gathering import Wishes
from limner.operations.datasets.importing import How
from limner.server.bodies import Reader, as_json, by_commas
from limner.server.values import ShortText, Text
from limner.training.datasets.dataset import DatasetPage, Split
from limner.training.datasets.labels import LabelMap
from limner.training.datasets.splits import Shares

#: How the fields of a form are read that are no plain text.
FORM_READERS: Mapping[str, Reader] = {
    "labels": as_json,
    "shares": as_json,
    "looked_for": by_commas,
    "documents": by_commas,
    "datasets": by_commas,
}

_Share = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
_LABELS = ["initial", "miniature"]
_CARD: JsonDict = {
    "ref": "initials@2",
    "name": "initials",
    "version": "2",
    "title": "Initials of our manuscripts",
    "labels": [*_LABELS],
    "pages": {"train": 140, "val": 30, "test": 30},
    "annotations": 911,
    "sha256": "5d41…",
    "licence": "CC-BY-4.0",
    "source": "corrected.zip",
    "created_at": "2026-05-04T10:00:00+00:00",
}


class SplitShares(BaseModel):
    """How much of the pages each split gets; they are weighed against each other."""

    model_config = ConfigDict(extra="forbid")

    train: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] = 0.7
    val: _Share = 0.15
    test: _Share = 0.15

    def wanted(self) -> Shares:
        """As they are reckoned with."""
        return Shares(self.train, self.val, self.test)


class SplitFields(BaseModel):
    """How a dataset shall be split."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"shares": {"train": 0.8, "val": 0.2, "test": 0}, "seed": 1}}
    )

    shares: SplitShares = Field(default_factory=SplitShares)
    seed: int = Field(default=0, ge=0, lt=2**31, description="Another one splits otherwise.")

    def shares_wanted(self) -> Shares:
        """As they are reckoned with."""
        return self.shares.wanted()


class NewDatasetFields(SplitFields):
    """A dataset to be taken in: from a file that is sent, or from one of the others named here."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "initials", "documents": ["0" * 32], "labels": {"Initial": "initial"}}},
    )

    name: str = Field(min_length=1, max_length=64, description="One that exists gets its next version.")
    url: Annotated[Text, Field(max_length=2000)] | None = Field(default=None, description="Address of a zip file.")
    documents: list[ShortText] | None = Field(
        default=None, min_length=1, max_length=1000, description="Ids of documents whose reviewed pages are taken."
    )
    received: ShortText | None = Field(default=None, description="What `/send-dataset` answered with.")
    datasets: list[ShortText] | None = Field(
        default=None, min_length=1, max_length=100, description="Datasets to make one of, or to make another one of."
    )
    reviewed: bool = Field(default=True, description="Of documents, only pages that a person saved last.")
    format: ShortText | None = Field(default=None, description="Of a file; found out where it is not said.")
    title: ShortText = ""
    licence: ShortText = ""
    labels: dict[ShortText, ShortText | None] = Field(
        default_factory=dict, max_length=10_000, description="What labels become; null leaves one out."
    )
    looked_for: list[ShortText] = Field(
        default_factory=list, max_length=10_000, description="The labels looked for on these pages, if not all."
    )
    together: Literal["page", "folder"] = Field(default="page", description="What stays in one split.")
    resplit: bool = Field(default=False, description="Split anew, whatever splits it comes with.")
    unannotated: bool = Field(default=False, description="Images without annotations are pages with nothing on them.")
    ignore_difficult: bool = Field(default=False, description="What VOC calls difficult counts neither way.")
    append: bool = Field(default=False, description="Add the pages to those of the newest version.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum(each is not None for each in (self.url, self.documents, self.received, self.datasets)) > 1:
            raise ValueError("one of url, documents, received and datasets is enough")
        return self

    def label_map(self) -> LabelMap:
        """What labels become."""
        return LabelMap({old: new or None for old, new in self.labels.items() if old})

    def wishes(self) -> Wishes:
        """What is to become of the pages."""
        return Wishes(
            name=self.name,
            title=self.title,
            licence=self.licence,
            labels=self.label_map(),
            looked_for=tuple(each for each in self.looked_for if each),
            difficult_ignored=self.ignore_difficult,
            shares=self.shares_wanted(),
            seed=self.seed,
            resplit=self.resplit,
            append=self.append,
        )

    def how(self) -> How:
        """How files are to be read."""
        return How(format=self.format, documents=self.together, unannotated=self.unannotated)


class DatasetAnswer(BaseModel):
    """A version of a dataset."""

    model_config = ConfigDict(json_schema_extra={"example": _CARD})

    ref: str = Field(description="Name and version.")
    name: str
    version: str
    title: str
    labels: list[str] = Field(description="In the order of a network's outputs.")
    pages: dict[str, int] = Field(description="Pages in each split.")
    annotations: int
    sha256: str = Field(description="Hash of what is in it.")
    licence: str
    source: str = Field(description="What it was made from.")
    created_at: datetime


class ImportedAnswer(DatasetAnswer):
    """A version of a dataset that was taken in just now."""

    format: str = Field(description="What it was read as; empty where it came from documents or datasets.")
    kept_splits: bool = Field(description="Whether its splits are those that it came with.")
    problems: list[str] = Field(description="What was passed over or mended.")


class FullDatasetAnswer(DatasetAnswer):
    """A version of a dataset, with its figures."""

    versions: list[str] = Field(description="All versions there are, the oldest first.")
    statistics: dict[str, Any] = Field(
        description="`pages`, `documents` and `empty` of each split, `torn` documents, `labels` with counts and sizes, "
        "`ignored` zones, `partial` pages, `widths` and `heights`."
    )


class DatasetPageAnswer(BaseModel):
    """A page of a dataset, without its annotations."""

    index: int
    name: str
    split: Split
    document: str
    width: int
    height: int
    labels: dict[str, int] = Field(description="How many annotations it has of each label.")
    ignored: int = Field(description="Zones in which nothing is known.")
    looked_for: list[str] | None = Field(description="The labels that were looked for; null for all.")
    image: str = Field(description="Address of a picture of it.")

    @classmethod
    def of(cls, ref: str, page: DatasetPage) -> DatasetPageAnswer:
        """As the API shows it."""
        counts: dict[str, int] = {}
        for annotation in page.annotations:
            counts[annotation.label] = counts.get(annotation.label, 0) + 1
        return cls(
            index=page.page.index,
            name=page.page.name,
            split=page.split,
            document=page.document,
            width=page.page.width,
            height=page.page.height,
            labels=counts,
            ignored=len(page.ignore),
            looked_for=None if page.exhaustive is None else sorted(page.exhaustive),
            image=f"/v1/datasets/{ref}/pages/{page.page.index}/image",
        )


class PairPageAnswer(BaseModel):
    """One of two pages that look the same."""

    index: int
    name: str
    split: Split
    document: str


class PairAnswer(BaseModel):
    """Two pages that look the same."""

    distance: int = Field(description="Bits of 256 in which they differ.")
    pages: list[PairPageAnswer]


_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file", "name"],
    "properties": {
        "file": {
            "type": "string",
            "format": "binary",
            "description": "A zip file of annotations and images, or a file of annotations that says where these are.",
        },
        "name": {"type": "string", "description": "One that exists gets its next version."},
        "format": {"type": "string", "description": "`coco`, `yolo`, `voc`, … Found out where it is not said."},
        "labels": {"type": "string", "description": 'JSON: `{"old": "new", "unwanted": null}`.'},
        "looked_for": {"type": "string", "description": "Labels, separated by commas."},
        "shares": {"type": "string", "description": 'JSON: `{"train": 0.7, "val": 0.15, "test": 0.15}`.'},
        **{name: {"type": "string"} for name in ("title", "licence")},
        "together": {"type": "string", "enum": ["page", "folder"]},
        "seed": {"type": "integer"},
        **{name: {"type": "boolean"} for name in ("resplit", "unannotated", "ignore_difficult", "append")},
    },
}


def _json_schema() -> dict[str, Any]:
    """The schema of the JSON, in one piece: what it refers to is not found inside of the whole API's."""
    schema = NewDatasetFields.model_json_schema()
    (shares,) = schema.pop("$defs").values()
    schema["properties"]["shares"] = shares
    return schema


#: The body, as a form with a file or as JSON.
OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "application/json": {"schema": _json_schema()},
        },
    }
}
