"""A bundle: what ``bundle.json`` says of a model.

`limner.models.bundle_files` reads and writes bundles; ``docs/reference/bundle.md`` describes them for
people, and ``docs/reference/bundle.schema.json`` for programs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, JsonValue, PrivateAttr, ValidationError, field_validator, model_validator

from limner.core.errors import BundleError, UsageError
from limner.core.registry import Registry
from limner.models.tasks.specs import Decoder, Input, PixelClasses, Spec, Thresholds, Tiling

#: Names of models, versions and aliases: they become names of folders, so they are narrow.
NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$"

Name: TypeAlias = Annotated[str, Field(pattern=NAME_PATTERN)]
Label: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Task: TypeAlias = Literal["detect", "segment", "ocr"]

_TASKS_OF_DECODER: dict[str, tuple[Task, ...]] = {
    "yolov5": ("detect", "segment"),
    "yolov8": ("detect", "segment"),
    "rows": ("detect", "segment"),
    "boxes": ("detect", "segment"),
    "detr": ("detect",),
    "tiny-yolo": ("detect",),
    "classes": ("segment",),
}


class Weights(Spec):
    """The file of weights beside ``bundle.json``."""

    file: Annotated[str, Field(pattern=r"^model\.(onnx|safetensors)$")] = Field(
        default="model.onnx", description="Name of the file."
    )
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(description="SHA-256 of the file, hexadecimal.")
    size: int = Field(ge=1, description="Size of the file, bytes.")


class Provenance(Spec):
    """Where a model comes from."""

    source: str = Field(default="", max_length=2000, description="The file or program that it was made from.")
    url: str = Field(default="", max_length=2000, description="Where that can be found.")
    training_data: str = Field(default="", max_length=10_000, description="What it was trained on.")
    converter: str = Field(default="", max_length=200, description="What made the bundle.")


class Bundle(Spec):
    """Everything about a model except its weights."""

    format: Literal[1] = Field(default=1, description="Version of this format.")
    name: Name = Field(description="Name, as in `--model NAME`.")
    version: Name = Field(default="1", description="Version; `2` is newer than `1`, `1.10` newer than `1.9`.")
    task: Task = Field(description="What it does.")
    runtime: Name = Field(default="onnx", description="What executes it.")
    labels: tuple[Label, ...] = Field(default=(), max_length=100_000, description="Its labels, in the network's order.")
    input: Input | None = Field(default=None, description="How an image becomes the network's input.")
    decoder: Decoder | None = Field(default=None, description="How the network's outputs are read.")
    thresholds: Thresholds = Field(default=Thresholds(), description="What is left out unless something else is asked.")
    tiling: Tiling | None = Field(default=None, description="How large pages are cut; null for not at all.")
    weights: Weights | None = Field(
        default=None, description="The file of weights; null where the runtime has its own."
    )
    parameters: dict[str, JsonValue] = Field(default={}, description="What else the runtime wants to know.")
    memory: int | None = Field(
        default=None, ge=0, description="Memory that it takes when loaded, bytes; null if unknown."
    )
    page_seconds: float | None = Field(
        default=None, ge=0, description="Seconds that one page took when it was tried; a rule of thumb for estimates."
    )
    title: str = Field(default="", max_length=200, description="Name for people.")
    description: str = Field(default="", max_length=10_000, description="What it finds, on what kind of page.")
    licence: str = Field(
        default="", max_length=200, description="SPDX identifier or name of the licence of the weights."
    )
    provenance: Provenance = Field(default=Provenance(), description="Where it comes from.")
    figures: dict[str, float] = Field(default={}, description="What was measured of it, such as `mAP50`.")

    _folder: Path | None = PrivateAttr(default=None)

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) != len(labels):
            twice = sorted({label for label in labels if labels.count(label) > 1})
            raise ValueError(f"a label stands there twice: {', '.join(twice)}")
        return labels

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.decoder is not None and self.task not in _TASKS_OF_DECODER[self.decoder.name]:
            raise ValueError(f"the decoder {self.decoder.name} does not belong to the task {self.task}")
        if self.decoder is not None and not self.labels:
            raise ValueError("a model with a decoder needs labels")
        if self.runtime == "onnx" and None in (self.input, self.decoder):
            raise ValueError("the runtime onnx needs input and decoder")
        if isinstance(self.decoder, PixelClasses) and (odd := set(self.decoder.minimum_areas) - set(self.labels)):
            raise ValueError(f"minimum_areas names labels that do not exist: {', '.join(sorted(odd))}")
        return self

    @property
    def ref(self) -> str:
        """Name and version, as in ``page-elements@2``."""
        return f"{self.name}@{self.version}"

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights, hexadecimal; empty where there is no file of weights."""
        return self.weights.sha256 if self.weights else ""

    @property
    def wanted_side(self) -> int | None:
        """Length that the longer side of an image needs to have; None for full size."""
        return None if self.input is None or self.tiling is not None else self.input.wanted_side

    @property
    def folder(self) -> Path | None:
        """The folder that it was read from; None for one that ships with a runtime."""
        return self._folder

    @property
    def weights_path(self) -> Path:
        """The file of weights; raises `BundleError` where there is none."""
        if self.weights is None or self._folder is None:
            raise BundleError(f"The model {self.ref} has no file of weights.")
        return self._folder / self.weights.file

    def at(self, folder: Path) -> Bundle:
        """The same bundle, read from a folder."""
        copy = self.model_copy()
        copy._folder = folder  # noqa: SLF001  # our own class
        return copy

    def changed(self, **changes: object) -> Bundle:
        """The same bundle with some fields changed and all checked again; raises `BundleError`."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        try:
            new = Bundle.model_validate(fields | changes)
        except ValidationError as error:
            raise BundleError(f"The bundle cannot be changed like this: {_problems(error)}.") from error
        new._folder = self._folder  # noqa: SLF001  # our own class
        return new


def parse_bundle(text: str | bytes) -> Bundle:
    """The bundle that a ``bundle.json`` describes; raises `BundleError` naming every wrong key."""
    try:
        return Bundle.model_validate_json(text)
    except ValidationError as error:
        raise BundleError(f"bundle.json cannot be used: {_problems(error)}.") from error


def make_bundle(fields: Mapping[str, object]) -> Bundle:
    """A bundle from plain values; raises `BundleError` naming every wrong one."""
    try:
        return Bundle.model_validate(fields)
    except ValidationError as error:
        raise BundleError(f"The model cannot be described: {_problems(error)}.") from error


def render_bundle(bundle: Bundle) -> str:
    """The text of ``bundle.json``: the same for the same bundle.

    Defaults are written out, so that a later release with other defaults reads the same.
    """
    return json.dumps(bundle.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"


def _problems(error: ValidationError) -> str:
    """What is wrong, and where."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}" for each in error.errors())


def checked_name(name: str, what: str = "a model") -> str:
    """The name, if it can be one; raises `UsageError`."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(
            f"{name!r} cannot be the name of {what}.",
            hint="Use up to 64 of a-z, 0-9, dot, underscore and hyphen, beginning and ending with a letter or digit.",
        )
    return name


#: Models that ship with a runtime and need no file of weights.
BUILTIN: Registry[Bundle] = Registry("limner.models.builtin", "built-in model")
