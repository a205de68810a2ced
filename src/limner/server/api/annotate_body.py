"""What ``POST /v1/annotate`` takes: a form with files, or JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.datastructures import FormData, UploadFile

from limner.annotations.shapes import Box
from limner.core.errors import ShapeError, UsageError
from limner.models.protocol import Options
from limner.operations.candidates import MOST_PAGES, ImageInput

_FILE_FIELDS = frozenset({"file", "files", "image"})

EXAMPLE = {
    "image": "https://iiif.example.org/image/1/full/max/0/default.jpg",
    "model": "text",
    "threshold": 0.5,
    "zones": [[100, 100, 900, 700]],
}

Text = Annotated[str, Field(min_length=1)]
Zone = tuple[float, float, float, float]


class BodyFields(BaseModel):
    """Images and what is to be done with them."""

    model_config = ConfigDict(extra="forbid")

    image: Text | None = Field(default=None, description="An http(s) address, base64, or a `data:` URL.")
    images: list[Text] = Field(default=[], max_length=MOST_PAGES, description="Several of these.")
    model: str = Field(default="default", min_length=1, max_length=200, description="Name, `name@version` or alias.")
    threshold: float | None = Field(default=None, ge=0, le=1, description="Least score; the model's own by default.")
    labels: list[str] | None = Field(default=None, max_length=1000, description="Only these labels.")
    zones: list[Zone] = Field(
        default=[], max_length=1000, description="Predict only in these: corners x1, y1, x2, y2 in pixels of the image."
    )

    @field_validator("zones")
    @classmethod
    def _boxes(cls, zones: list[Zone]) -> list[Zone]:
        for zone in zones:
            try:
                Box.from_corners(*zone)
            except ShapeError as error:
                raise ValueError(str(error)) from error
        return zones

    def options(self) -> Options:
        """What is chosen."""
        labels = None if self.labels is None else frozenset(self.labels)
        return Options(self.threshold, labels, tuple(Box.from_corners(*zone) for zone in self.zones))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read."""

    images: Sequence[ImageInput]
    model: str
    options: Options


@asynccontextmanager
async def read_request(request: Request) -> AsyncGenerator[Asked, None]:
    """The request; its uploaded files are there inside the ``async with``.

    Raises `UsageError` or `RequestValidationError`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        fields = parse_json(await request.body())
        yield _asked(fields, _texts(fields))
    elif kind == "multipart/form-data":
        # Files are written to disk as they arrive, beyond the first megabyte of each.
        async with request.form(max_files=MOST_PAGES, max_fields=20) as form:
            fields = parse_form(form)
            yield _asked(fields, [*_files(form), *_texts(fields)])
    else:
        raise UsageError("The body is neither a form with files nor JSON.", hint="Set its Content-Type.")


def parse_json(body: bytes) -> BodyFields:
    """The fields of a JSON body."""
    try:
        return BodyFields.model_validate_json(body)
    except ValidationError as error:
        raise _unusable(error) from error


def parse_form(form: FormData) -> BodyFields:
    """The fields of a form: labels with commas, zones as JSON; empty ones count for nothing."""
    fields: dict[str, object] = {}
    images: list[str] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name not in _FILE_FIELDS:
                raise UsageError(f"There is a file in the field {name[:50]!r}.", hint="Send images as `file`.")
        elif name in _FILE_FIELDS and value:
            images.append(value)
        elif value:
            fields[name] = _form_value(name, value)
    try:
        return BodyFields.model_validate({**fields, **({"images": images} if images else {})})
    except ValidationError as error:
        raise _unusable(error) from error


def _form_value(name: str, value: str) -> object:
    if name == "labels":
        return [label.strip() for label in value.split(",") if label.strip()]
    if name != "zones":
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise UsageError("`zones` is no JSON.", hint="Write [[x1, y1, x2, y2], …].") from error


def _files(form: FormData) -> list[ImageInput]:
    uploads = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    return [ImageInput(upload.file, upload.filename or "") for upload in uploads]


def _texts(fields: BodyFields) -> list[ImageInput]:
    return [ImageInput(text) for text in ([fields.image] if fields.image else []) + fields.images]


def _asked(fields: BodyFields, images: Sequence[ImageInput]) -> Asked:
    return Asked(images, fields.model, fields.options())


def _unusable(error: ValidationError) -> RequestValidationError:
    return RequestValidationError(
        [{**each, "loc": ("body", *each["loc"]), "input": None} for each in error.errors(include_url=False)]
    )
