"""What MLflow is asked to do, whether it is a server, a folder or a file of SQLite."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol, TypeAlias

from limner.core.errors import LimnerError

#: How a run has ended, in MLflow's words.
End: TypeAlias = Literal["FINISHED", "FAILED", "KILLED"]
#: The tag that says which run this is: all processes that write to it find it by this.
KEY_TAG = "limner.key"


class TrackingError(LimnerError):
    """MLflow did not take what it was given."""

    code = "tracking"


class RefusedError(TrackingError):
    """MLflow refused it, and would refuse it again."""

    code: ClassVar[str] = "tracking.refused"


class Point(NamedTuple):
    """One value of a metric."""

    metric: str
    value: float
    #: Where it stands on the axis.
    step: int
    #: Milliseconds since 1970.
    at: int


class Store(Protocol):
    """Where runs are kept.

    All methods block, and raise `TrackingError`: `RefusedError` where trying again is no use.
    """

    def experiment(self, name: str) -> str:
        """Id of the experiment, which is made where there is none."""

    def find(self, experiment_id: str, key: str) -> Sequence[str]:
        """Ids of the runs with a key, the oldest first."""

    def create(self, experiment_id: str, name: str, start: int, tags: Mapping[str, str]) -> str:
        """Id of a new run; ``start`` is in milliseconds since 1970."""

    def describe(self, run_id: str, params: Mapping[str, str]) -> None:
        """Note what a run was made with. At most 100."""

    def log(self, run_id: str, points: Sequence[Point]) -> None:
        """Note values; one that is there already stays there once. At most `MOST_POINTS`."""

    def keep(self, run_id: str, name: str, path: str) -> None:
        """Keep a file of this machine with a run; ``name`` may have folders in it."""

    def end(self, run_id: str, status: End, at: int) -> None:
        """A run has ended; ``at`` is in milliseconds since 1970."""

    def delete(self, run_id: str) -> None:
        """Forget a run."""

    def close(self) -> None:
        """Give everything back."""


#: As many values as MLflow takes at one time (https://mlflow.org/docs/latest/rest-api.html, log-batch).
MOST_POINTS = 1000
#: Longest parameter that every version of MLflow takes, characters.
LONGEST_PARAM = 500


def find_or_create(store: Store, experiment_id: str, key: str, name: str, params: Mapping[str, str]) -> str:
    """The run with a key; of two that two processes have made at the same moment, the older one stays."""
    if found := store.find(experiment_id, key):
        return found[0]
    own = store.create(experiment_id, name, time.time_ns() // 1_000_000, {KEY_TAG: key})
    found = store.find(experiment_id, key)
    if found and found[0] != own:
        store.delete(own)
        return found[0]
    store.describe(own, params)
    return own
