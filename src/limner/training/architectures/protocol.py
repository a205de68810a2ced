"""What a kind of network must be able to do to be trained here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from limner.core.registry import Registry
from limner.models.bundle import Bundle
from limner.training.config import RunConfig

if TYPE_CHECKING:
    from torch import Tensor

    from limner.training.data.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a network found on an image, the surest first."""

    #: Left, top, right and bottom in pixels of the image that it was given: float32 [N, 4].
    boxes: Tensor
    #: Positions among the labels: int64 [N].
    labels: Tensor
    #: 0 to 1: float32 [N].
    scores: Tensor
    #: One a box: bool [N, height, width]; None where the network makes none.
    masks: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a network took over from other weights."""

    #: Parameters taken, of how many.
    parameters: int
    of: int
    #: What begins from chance: heads for other labels, above all.
    fresh: tuple[str, ...]


class Learner(Protocol):
    """A network that learns; also a ``torch.nn.Module``."""

    labels: tuple[str, ...]

    def losses(self, images: Sequence[Tensor], targets: Sequence[Target]) -> Mapping[str, Tensor]:
        """The parts of the loss, to be added up; ignore zones and labels nobody looked for teach nothing."""

    def predict(self, images: Sequence[Tensor], threshold: float) -> list[Found]:
        """What is found on some images (float32 [3, height, width], 0 to 1)."""

    def take(self, weights: Mapping[str, Tensor]) -> Taken:
        """Begin with the weights of another network, as far as they fit; raises `BundleError` where none does."""

    def freeze(self, stages: int) -> None:
        """Keep the first stages of the backbone as they are."""

    def export(self, folder: Path, config: RunConfig) -> Bundle:
        """Write a bundle that is served without torch into an empty folder.

        Its answers are compared with those of the network; raises `BundleError` where they differ.
        """


class Architecture(Protocol):
    """A kind of network."""

    #: Short name, as in ``--arch NAME``.
    name: str
    #: What it is, for people.
    title: str
    task: Literal["detect", "segment"]
    #: Whether it learns from masks.
    masks: bool
    #: Its own choices where a run leaves them open, by the names in `RunConfig`.
    defaults: Mapping[str, object]

    def build(self, labels: Sequence[str], config: RunConfig) -> Learner:
        """A new network for some labels, its weights drawn by chance (``config.seed`` is set already)."""


#: All kinds of network.
ARCHITECTURES: Registry[Architecture] = Registry("limner.training.architectures", "architecture")
