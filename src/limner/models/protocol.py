"""What a loaded model is: pixels in, annotations out.

A *runtime* executes a bundle (ONNX Runtime, RapidOCR, …); a *task* turns its raw outputs into
annotations. Together they make a `Predictor`, and that is all the rest of Limner knows of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from limner.annotations.annotation import Annotation, Json
from limner.annotations.shapes import Box
from limner.core.registry import Registry

if TYPE_CHECKING:
    from limner.models.bundle import Bundle

#: An image: height × width × 3, uint8, RGB.
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for one prediction; None takes the bundle's default."""

    #: Least score, 0 to 1.
    threshold: float | None = None
    #: Only these labels; None for all.
    labels: frozenset[str] | None = None
    #: Predict only inside these boxes, in pixels of the original image; empty for the whole.
    zones: tuple[Box, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """What was chosen, for the provenance of annotations."""
        out: dict[str, Json] = {}
        if self.threshold is not None:
            out["threshold"] = self.threshold
        if self.labels is not None:
            out["labels"] = [*sorted(self.labels)]
        if self.zones:
            out["zones"] = [[*zone.corners] for zone in self.zones]
        return out


class Predictor(Protocol):
    """A loaded model."""

    bundle: Bundle
    #: Length that the longer side of the image needs to have; None for full size.
    wanted_side: int | None

    def predict(self, pixels: Pixels, size: tuple[int, int], options: Options) -> list[Annotation]:
        """What is on an image, best first.

        ``pixels`` may be smaller than the original; ``size`` is the width and height of the
        original, and answers are in its pixels. Safe to call from several threads.
        """

    def close(self) -> None:
        """Give the memory back."""


class Session(Protocol):
    """A network that a runtime has loaded."""

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Sequence[npt.NDArray[Any]]:
        """The outputs for some inputs, in the order of the model file."""


class Reply(Protocol):
    """What a server answered."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By names in lower case."""

    @property
    def body(self) -> bytes:
        """All of it."""


class Sender(Protocol):
    """The way to the network, which models know nothing of: whoever loads them gives it."""

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        """The answer to a request, whatever its status; raises a `LimnerError` where there is none."""


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """What a runtime needs to know of the machine."""

    #: Threads to use; 0 for one a core.
    threads: int = 0
    #: Execution providers to prefer, best first; empty to choose by what is installed.
    providers: tuple[str, ...] = field(default=())
    #: How servers are asked; None where no model may ask any.
    send: Sender | None = None


class Runtime(Protocol):
    """Something that can execute bundles."""

    #: Short name, as in ``bundle.json``.
    name: str

    def load(self, bundle: Bundle, options: RuntimeOptions) -> Predictor:
        """Load a bundle; raises `ModelError` when that is not possible."""


#: All runtimes.
RUNTIMES: Registry[Runtime] = Registry("limner.runtimes", "runtime")
