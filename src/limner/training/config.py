"""What a run was asked for: written beside it, and enough to run it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from limner.core.errors import UsageError
from limner.models.bundle import Name

#: How numbers are held while learning.
Precision = Literal["32", "16-mixed", "bf16-mixed"]


class RunConfig(BaseModel):
    """All choices of a run; those left out are the architecture's."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset: str = Field(description="Dataset, `name@version`.")
    dataset_sha256: str = Field(default="", description="Hash of what is in it.")
    architecture: Name = Field(description="What kind of network.")
    base: str = Field(default="", description="Model whose weights it begins with; empty to begin from chance.")
    name: Name = Field(description="Name of the model that comes out.")
    epochs: int | None = Field(default=None, ge=1, le=10_000, description="Times that all pages are seen.")
    minutes: float | None = Field(default=None, gt=0, le=60 * 24 * 30, description="Minutes after which it ends.")
    image_size: Annotated[int, Field(ge=32, le=4096)] = Field(default=640, description="Longer side of images, pixels.")
    batch_size: int = Field(default=4, ge=1, le=1024, description="Images in a batch.")
    accumulate: int = Field(default=1, ge=1, le=1024, description="Batches between two steps of the optimiser.")
    learning_rate: float = Field(default=1e-3, gt=0, le=10, description="The highest learning rate.")
    warmup: float = Field(default=0.05, ge=0, le=0.5, description="Share of the run in which the rate rises to that.")
    schedule: Literal["cosine", "constant"] = Field(default="cosine", description="How the rate falls afterwards.")
    weight_decay: float = Field(default=1e-4, ge=0, le=1, description="How much weights are drawn to 0.")
    ema: float = Field(default=0.998, ge=0, lt=1, description="Decay of the weights' moving average; 0 for none.")
    precision: Precision = Field(default="32", description="How numbers are held while learning.")
    augment: str = Field(default="page", description="How images are changed: a preset, or `none`.")
    freeze: int = Field(default=0, ge=0, le=8, description="Stages of the backbone that stay as they are.")
    patience: int = Field(
        default=0, ge=0, le=1000, description="Epochs without a better figure that end it; 0 for none."
    )
    checkpoint_minutes: float = Field(default=5.0, gt=0, description="Minutes between two checkpoints.")
    loaders: int = Field(default=1, ge=0, le=64, description="Processes that read images; 0 for none of their own.")
    devices: int = Field(default=1, ge=1, le=64, description="GPUs to share the work between.")
    seed: int = Field(default=0, ge=0, lt=2**31, description="What chance begins with.")


def render_config(config: RunConfig, *, asked: bool = False) -> str:
    """The text of ``config.json``; with ``asked`` only what was asked for: the architecture fills the rest."""
    return json.dumps(config.model_dump(mode="json", exclude_unset=asked), indent=2) + "\n"


def make_config(values: Mapping[str, object], defaults: Mapping[str, object] | None = None) -> RunConfig:
    """A run's choices from plain values, over some defaults; raises `UsageError` naming each that is wrong."""
    try:
        return RunConfig.model_validate({**(defaults or {}), **values})
    except ValidationError as error:
        raise UsageError(f"The run cannot be done so: {_wrong(error)}.") from error


def settled(config: RunConfig, defaults: Mapping[str, object]) -> RunConfig:
    """The choices of a run with those of its architecture where nothing was asked for."""
    return make_config(config.model_dump(exclude_unset=True), defaults)


def read_config(path: Path) -> RunConfig:
    """A run's choices; raises `UsageError` naming each that is wrong."""
    try:
        return RunConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise UsageError(f"The configuration {path} cannot be used: {_wrong(error)}.") from error


def _wrong(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}" for each in error.errors())
