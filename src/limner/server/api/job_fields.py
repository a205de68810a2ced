"""What requests for jobs hold, and what their answers do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from limner.operations.jobs.desk import HIGHEST, JobRequest
from limner.operations.jobs.notices import job_plain
from limner.server.bodies import Body, Reader, as_json, by_commas
from limner.server.values import ShortText, Text
from limner.storage.jobs import Job, Status
from limner.storage.pages import PageStatus

Zone: TypeAlias = tuple[float, float, float, float]
#: An address, and any ``data:`` URL with an image in it.
Address: TypeAlias = Annotated[Text, Field(min_length=1)]
_JOB = "0123456789abcdef0123456789abcdef"
_MANIFEST = "https://iiif.example.org/ms-22/manifest.json"


class NewJobFields(BaseModel):
    """A job to be made, from one of: `source`, `document`, `dataset`, files."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "source": _MANIFEST,
                "model": "text-regions",
                "threshold": 0.5,
                "pages": "1-10",
                "callback": "https://app.example.org/hooks/limner",
            }
        },
    )

    kind: ShortText = Field(default="annotate", description="What is to be done: `annotate`.")
    source: Address | list[Address] | dict[str, Any] | None = Field(
        default=None,
        description="Address of a manifest, collection, image, PDF, zip file or list; a `data:` URL; a list of "
        "addresses; or a manifest itself.",
    )
    document: ShortText | None = Field(default=None, description="Id of a document of the workspace.")
    dataset: ShortText | None = Field(
        default=None, description="A dataset of the workspace, `name` or `name@version`: its pages are annotated."
    )
    model: ShortText | None = Field(default=None, min_length=1, description="Name, `name@version` or alias.")
    document_type: ShortText | None = Field(
        default=None, description="Chooses the model by the workspace's routes, where none is named: `manuscript`, …"
    )
    threshold: float | None = Field(default=None, ge=0, le=1, description="Least score; the model's own by default.")
    labels: list[ShortText] | None = Field(default=None, max_length=1000, description="Only these labels.")
    zones: list[Zone] | None = Field(
        default=None, max_length=1000, description="Predict only in these: x1, y1, x2, y2 in pixels of the page."
    )
    pages: ShortText | None = Field(default=None, description="Only these, counted from 1: `1-10,15`.")
    callback: Text | None = Field(default=None, max_length=2000, description="Where to send word that the job ended.")
    callback_form: Literal["json", "extractor"] = Field(
        default="json", description="As JSON, or the annotation file of each manifest as extractorAPI sends it."
    )
    priority: int = Field(default=0, ge=0, le=HIGHEST, description="A higher one goes first in the workspace.")
    title: ShortText | None = Field(default=None, description="What to call the job.")

    @classmethod
    def request(cls, body: Body[NewJobFields]) -> JobRequest:
        """The request, with the files that came along."""
        return JobRequest(**body.fields.model_dump(), uploads=body.files)


#: Fields of a form that are no plain text.
FORM_READERS: Mapping[str, Reader] = {"labels": by_commas, "zones": as_json}

_FORM_PROPERTIES = {
    name: {"type": "string"}
    for name in (
        "source",
        "document",
        "dataset",
        "model",
        "document_type",
        "threshold",
        "zones",
        "labels",
        "pages",
        "callback",
        "callback_form",
        "priority",
        "title",
    )
}
OPENAPI = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": NewJobFields.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "Images, PDFs and zip files.",
                        },
                        **_FORM_PROPERTIES,
                    },
                }
            },
        },
    }
}


class FailureAnswer(BaseModel):
    """Why something failed."""

    code: str = Field(description="Stable name of the error.")
    message: str


class CountsAnswer(BaseModel):
    """How far a job is."""

    total: int
    done: int
    failed: int


class JobAnswer(BaseModel):
    """A job as it stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": _JOB,
                "kind": "annotate",
                "status": "running",
                "pages": {"total": 200, "done": 17, "failed": 0},
                "model": "text-regions@1",
                "source": _MANIFEST,
                "priority": 0,
                "title": None,
                "created_at": "2026-11-20T09:00:00+00:00",
                "started_at": "2026-11-20T09:00:01+00:00",
                "finished_at": None,
                "error": None,
                "links": {"self": f"https://limner.example.org/v1/jobs/{_JOB}"},
            }
        }
    )

    id: str
    kind: str
    status: Status
    pages: CountsAnswer
    model: str | None
    source: str | None
    priority: int
    title: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: FailureAnswer | None
    links: dict[str, str]

    @classmethod
    def of(cls, job: Job, base: str, shared: Mapping[str, str] | None = None) -> JobAnswer:
        """As the API shows it; ``shared`` are the links for viewers."""
        answer = cls.model_validate(job_plain(job, base))
        answer.links.update(shared or {})
        return answer


class JobPageAnswer(BaseModel):
    """A page of a job as it stands."""

    index: int = Field(description="Position in the job, from 0.")
    name: str
    status: PageStatus
    attempts: int
    error: FailureAnswer | None
    annotations: int | None = Field(description="How many were found; null while it is not done.")
    seconds: dict[str, float] | None = Field(default=None, description="Time spent in each stage.")
    note: str | None = Field(default=None, description="Why what was found was not put into the document.")


class SkippedAnswer(BaseModel):
    """Something that cannot be annotated."""

    where: str
    reason: str


class JobDocumentAnswer(BaseModel):
    """A document of a job: a manifest, a PDF, …"""

    id: str
    title: str
    first: int = Field(description="Index of its first page in the job.")
    pages: int
    skipped: list[SkippedAnswer]
    problems: list[str] = Field(description="What was odd in it, and was mended.")
