"""What requests for runs and the answers to them hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from limner.operations.runs.desk import HIGHEST, RunState
from limner.server.api.job_fields import FailureAnswer
from limner.server.values import ShortText
from limner.storage.jobs import Status
from limner.training.config import Precision

_RUN = "5f0c4d7e2b6a4f39a1c8e2d4b6f80123"


class RunChoices(BaseModel):
    """What is to be learnt from what, and how; what is left out is the architecture's choice."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"dataset": "nuts@1", "architecture": "lite", "epochs": 20, "name": "nuts"}},
    )

    dataset: ShortText = Field(min_length=1, description="Dataset, by name (its newest version) or `name@version`.")
    architecture: ShortText | None = Field(default=None, description="Kind of network. [default: `lite`]")
    base: ShortText | None = Field(default=None, description="Model to begin with: one that was trained here.")
    name: ShortText | None = Field(default=None, description="Name of the model that comes out. [default: dataset's]")
    epochs: int | None = Field(default=None, ge=1, le=10_000, description="Times that all pages are seen.")
    minutes: float | None = Field(default=None, gt=0, le=60 * 24 * 30, description="Minutes after which it ends.")
    image_size: int | None = Field(default=None, ge=32, le=4096, description="Longer side of images, pixels.")
    batch_size: int | None = Field(default=None, ge=1, le=1024)
    accumulate: int | None = Field(default=None, ge=1, le=1024)
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    weight_decay: float | None = Field(default=None, ge=0, le=1)
    ema: float | None = Field(default=None, ge=0, lt=1)
    precision: Precision | None = None
    augment: ShortText | None = Field(default=None, description="How images are changed: a preset, or `none`.")
    freeze: int | None = Field(default=None, ge=0, le=8, description="Stages of the backbone that stay as they are.")
    patience: int | None = Field(default=None, ge=0, le=1000, description="Epochs without a better figure; 0: never.")
    checkpoint_minutes: float | None = Field(default=None, gt=0, le=10_000)
    loaders: int | None = Field(default=None, ge=0, le=64, description="Processes that read images.")
    devices: int | None = Field(default=None, ge=1, le=64, description="GPUs to share the work between.")
    seed: int | None = Field(default=None, ge=0, lt=2**31)

    def choices(self) -> Mapping[str, object]:
        """Those of a run's configuration that were asked for."""
        return self.model_dump(exclude_none=True, include=set(RunChoices.model_fields))


class NewRunFields(RunChoices):
    """A run that somebody wants."""

    alias: ShortText | None = Field(default=None, description="Alias that is to stand for the model, if it is better.")
    priority: int = Field(default=0, ge=0, le=HIGHEST, description="A higher one goes first in the workspace.")


class PromoteFields(BaseModel):
    """Where a model is to be promoted to."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"alias": "default", "force": False}})

    alias: ShortText = Field(default="default", description="The alias that is to stand for it.")
    force: bool = Field(default=False, description="Whether it is better or not.")


class PromotionAnswer(BaseModel):
    """What came of a promotion."""

    model: str = Field(description="Name and version of the run's model.")
    alias: str
    moved: bool = Field(description="Whether the alias was moved to it.")
    before: str | None = Field(description="What the alias stood for.")
    map50: float | None = Field(description="Mean average precision at IoU 0.5; null where nothing was compared.")
    map50_before: float | None = Field(description="That of the model before, on the same pages.")
    split: str | None = Field(description="The split that these are of.")
    pages: int
    detail: str = Field(description="The same as a sentence.")


class RunEstimateAnswer(BaseModel):
    """What a run would take, by a few of its batches on this machine."""

    device: str = Field(description="`cpu`, or the name of the GPU.")
    parameters: int
    batch_seconds: float = Field(description="Seconds a batch.")
    page_seconds: float = Field(description="Seconds a page of validation.")
    batches: int | None = Field(description="Batches in all; null where only time ends it.")
    epochs: int | None
    pages: dict[str, int]
    seconds: float = Field(description="For all batches and validations; starting and exporting come on top.")
    memory: int = Field(description="Memory of the process that learns, bytes; those that read images come on top.")
    gpu_memory: int | None = Field(description="Memory of the GPU, bytes.")


class ProgressAnswer(BaseModel):
    """How far a run is."""

    batch: int
    progress: float = Field(description="0 to 1.")
    seconds: float = Field(description="Seconds of learning so far.")
    seconds_left: float | None = Field(description="At this speed.")
    loss: float | None
    images_per_second: float | None
    best_map50: float | None = Field(description="On the validation pages.")


class RunAnswer(BaseModel):
    """A run as it stands."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"id": _RUN, "name": "nuts", "status": "running", "dataset": "nuts@1"}}
    )

    id: str
    name: str = Field(description="Name of the model.")
    status: Status = Field(description="`cancelled` for one that was stopped.")
    dataset: str
    architecture: str
    base: str | None = Field(description="Model that it began with.")
    config: dict[str, Any] = Field(description="All choices.")
    progress: ProgressAnswer
    model: str | None = Field(description="The model that came out, once it is there.")
    figures: dict[str, float]
    samples: list[int] = Field(description="Epochs that there are pictures of.")
    promotion: dict[str, Any] | None = Field(description="What came of the last promotion.")
    priority: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: FailureAnswer | None
    links: dict[str, str]

    @classmethod
    def of(cls, state: RunState, base: str) -> RunAnswer:
        """As the API shows it."""
        job, config, own = state.job, state.config, f"{base}/v1/runs/{state.job.id}"
        actions = ("events", "metrics", "report", "stop", "resume", "promote")
        return cls.model_validate(
            {
                **job.plain(),
                "name": config.name,
                "dataset": config.dataset,
                "architecture": config.architecture,
                "base": config.base or None,
                "config": config.model_dump(mode="json"),
                "progress": {
                    "batch": state.progress.batch,
                    "progress": state.progress.progress,
                    "seconds": state.progress.seconds,
                    "seconds_left": state.progress.seconds_left,
                    "loss": state.progress.loss,
                    "images_per_second": state.progress.images_per_second,
                    "best_map50": state.progress.best_map50,
                },
                "model": state.model,
                "figures": dict(state.figures),
                "samples": [*state.samples],
                "promotion": None if state.promotion is None else dict(state.promotion),
                "links": {
                    "self": own,
                    "job": f"{base}/v1/jobs/{job.id}",
                    **{each: f"{own}/{each}" for each in actions},
                },
            }
        )
