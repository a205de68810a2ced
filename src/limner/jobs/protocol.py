"""What a kind of job is: a handler that plans pages, works on them and finishes the whole.

Jobs know nothing of models or training. What they are told is JSON, what they keep is JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from limner.annotations.annotation import Json
from limner.core.errors import LimnerError
from limner.storage.jobs import Failure, Job
from limner.storage.pages import JobPage, PlannedPage


class TryAgainError(LimnerError):
    """It did not work this time, and may the next."""

    code = "try-again"


@dataclass(frozen=True, slots=True)
class Done:
    """A page is done."""

    #: What is kept of it.
    result: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Failed:
    """A page has failed."""

    failure: Failure
    #: Whether another attempt may go better: it is made after a while, unless there were too many.
    again: bool = False


#: What came of a page.
Outcome: TypeAlias = Done | Failed


class Context(Protocol):
    """What a handler may ask and tell while it works."""

    def cancelled(self) -> bool:
        """Whether to stop, and soon: look at least once a second."""

    def check(self) -> None:
        """Raises `CancelledError` when it is time to stop."""

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until it is time to stop; whether it is."""

    def on_cancel(self, act: Callable[[], None]) -> None:
        """Have something done, from another thread, the moment it is time to stop: a process killed, say."""

    def progress(self, data: Mapping[str, Json]) -> None:
        """Tell whoever watches how far a long piece of work is."""


class Handler(Protocol):
    """A kind of job.

    All three are called from a thread that may block, on any worker, and again after a crash: what
    they do a second time must come to the same. They raise `CancelledError` when they stop because
    the context says so, and `TryAgainError` for what may go better later.
    """

    #: The name that jobs ask for it by.
    kind: str

    def plan(self, job: Job, context: Context) -> Iterable[PlannedPage]:
        """The pages to work on, in order."""

    def run(self, job: Job, pages: Sequence[JobPage], context: Context) -> Iterator[Outcome]:
        """What came of each page, in the order of the pages, each as soon as it is known.

        ``pages`` is a part of the job, so that the next can be fetched while one is worked on. An
        exception fails the page whose turn it is; the rest comes in another call.
        """

    def finish(self, job: Job, context: Context) -> None:
        """Called once every page is done or has failed, before the job ends."""


def failure(error: BaseException) -> Failure:
    """An exception as it is kept with a page or a job."""
    if isinstance(error, LimnerError):
        return Failure(error.code, str(error))
    return Failure("unexpected", f"Unexpected {type(error).__name__}: {error}")
