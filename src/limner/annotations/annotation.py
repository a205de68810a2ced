"""An annotation: a shape with a label, and where it comes from."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from limner.annotations.shapes import Shape

#: What may stand in attributes and parameters: anything that JSON can hold.
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class ByModel:
    """Provenance of what a model found."""

    #: Name of the model.
    name: str
    #: Version of the model.
    version: str
    #: SHA-256 of the weights, hexadecimal; empty where there is no single file of weights.
    weights: str = ""
    #: The parameters of the prediction (thresholds, zones, …).
    parameters: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ByPerson:
    """Provenance of what a person drew or corrected."""

    #: The name the person goes by.
    name: str


#: Who made an annotation.
Provenance: TypeAlias = ByModel | ByPerson


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One thing found on a page."""

    #: Where it is, in pixels of the page's original image.
    shape: Shape
    #: What it is.
    label: str
    #: How sure the model is, 0 to 1; None where nobody said.
    score: float | None = None
    #: The text that is written there.
    text: str | None = None
    #: Anything else that is known, as JSON values.
    attributes: Mapping[str, Json] = field(default_factory=dict)
    #: Who made it; None where the file it came from does not say.
    provenance: Provenance | None = None
    #: Unique on its page.
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if not self.label or not self.id:
            raise ValueError("An annotation needs a label and an id.")
        if self.score is not None and not (math.isfinite(self.score) and 0 <= self.score <= 1):
            raise ValueError(f"A score lies between 0 and 1, not at {self.score}.")
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))
