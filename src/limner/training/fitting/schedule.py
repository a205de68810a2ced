"""How far a run is, and how fast it learns there."""

from __future__ import annotations

import math
from dataclasses import dataclass

from limner.training.config import RunConfig

#: The rate at the end of a falling schedule, as a share of the highest.
_LAST = 0.01


@dataclass(frozen=True, slots=True)
class Length:
    """How long a run is: batches, or seconds, whichever comes first."""

    #: Batches in all; None where only time ends it.
    batches: int | None
    #: Seconds of learning in all; None where only batches end it.
    seconds: float | None

    def progress(self, batches: int, seconds: float) -> float:
        """How far it is, 0 to 1."""
        parts = [0.0]
        if self.batches is not None:
            parts.append(batches / self.batches)
        if self.seconds is not None:
            parts.append(seconds / self.seconds)
        return min(1.0, max(parts))


def length_of(config: RunConfig, per_epoch: int) -> Length:
    """How long a run is; 20 epochs where nobody said."""
    epochs = config.epochs if config.epochs or config.minutes else 20
    return Length(
        None if epochs is None else epochs * per_epoch,
        None if config.minutes is None else config.minutes * 60,
    )


def learning_rate(config: RunConfig, progress: float) -> float:
    """The rate at some point of a run: rising in a line, then falling along half a cosine, or constant."""
    if progress < config.warmup:
        return config.learning_rate * max(progress / config.warmup, _LAST)
    if config.schedule == "constant":
        return config.learning_rate
    fallen = (progress - config.warmup) / max(1 - config.warmup, 1e-9)
    share = _LAST + (1 - _LAST) * (1 + math.cos(math.pi * fallen)) / 2
    return config.learning_rate * share
