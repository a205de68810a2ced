"""Working on tasks: planning a job, going through the pages of a chunk, finishing."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

from limner.annotations.annotation import Json
from limner.core.errors import LimnerError
from limner.jobs.control import CancelToken, Watch
from limner.jobs.events import Bus
from limner.jobs.protocol import Done, Failed, Handler, Outcome, TryAgainError, failure
from limner.storage.database import StorageError
from limner.storage.engine.board import Board, LostClaimError, PageStep, Task
from limner.storage.jobs import Failure, Job
from limner.storage.pages import JobPage

T = TypeVar("T")

#: Called with a job that is about to end, and why it failed as a whole, if it did. It may be called again for the
#: same end, after a crash, and raises nothing.
Ending: TypeAlias = Callable[[Job, Failure | None], None]
#: What may go better later, whoever raised it.
_PASSING = (TryAgainError, StorageError)

logger = logging.getLogger(__name__)


class StoppedError(LimnerError):
    """The work was interrupted, and goes on later or elsewhere."""

    code = "stopped"


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and when something that failed is tried again."""

    #: Attempts at a page, or at planning or finishing a job. Those count that ended with the process.
    attempts: int = 3
    #: Seconds before the second attempt; each further one waits twice as long as the one before.
    first: float = 1.0
    #: Longest wait, seconds.
    longest: float = 60.0
    #: Attempts of some kinds of job alone: of those whose pages take hours, say.
    attempts_of: Mapping[str, int] = field(default_factory=dict)

    def most(self, kind: str) -> int:
        """Attempts at a page of a job of some kind."""
        return self.attempts_of.get(kind, self.attempts)

    def delay(self, made: int) -> float:
        """Seconds to wait after so many attempts."""
        return float(min(self.longest, self.first * 2 ** (made - 1)))


class TaskContext:
    """What a handler sees of the task that it works on."""

    def __init__(self, token: CancelToken, note: Callable[[Mapping[str, Json]], None]) -> None:
        self.cancelled = token.cancelled
        self.check = token.check
        self.wait = token.wait
        self.on_cancel = token.on_cancel
        self.progress = note


class Runner:
    """Takes tasks off queues and works on them, in the calling thread."""

    def __init__(
        self,
        board: Board,
        handlers: Mapping[str, Handler],
        *,
        watch: Watch,
        bus: Bus,
        patience: Patience,
        chunk: int,
        overall: Callable[[str], int | None],
        ending: Ending,
    ) -> None:
        self.board = board
        self.patience = patience
        self.stopping = False
        self._handlers = handlers
        self._watch = watch
        self._bus = bus
        self._chunk = chunk
        self._overall = overall
        self._ending = ending

    def next_task(self, lane: str, queue: str, kinds: Collection[str]) -> bool:
        """Take one task of those kinds and work on it; whether there was one."""
        if self.stopping:
            return False
        task = self.board.take(queue, lane, uuid.uuid4().hex, kinds=kinds, overall=self._overall(queue))
        if task is None:
            return False
        self._bus.publish(task.job.id)
        try:
            with self._watch.token(task.owner) as token:
                self._work(task, token)
        except LostClaimError:
            logger.info("Job %s: task %s was cancelled or given to another", task.job.id, task.number)
        except StoppedError:
            logger.info("Job %s: task %s was interrupted", task.job.id, task.number)
            self.board.give_back(lane)
        finally:
            self._bus.publish(task.job.id)
        return True

    def _work(self, task: Task, token: CancelToken) -> None:
        handler = self._handlers[task.job.kind]

        def note(data: Mapping[str, Json]) -> None:
            self.board.progress(task, dict(data))
            self._bus.publish(task.job.id)

        context = TaskContext(token, note)
        match task.stage:
            case "plan":
                self._whole(task, token, lambda: self._plan(task, handler, context))
            case "pages":
                ChunkRun(self, task, handler, context, token).through()
                self.board.settle_pages(task)
            case "finish":
                self._whole(task, token, lambda: self._finish(task, handler, context))

    def _plan(self, task: Task, handler: Handler, context: TaskContext) -> None:
        self.board.plan(task, list(handler.plan(task.job, context)), chunk=self._chunk)

    def _finish(self, task: Task, handler: Handler, context: TaskContext) -> None:
        handler.finish(task.job, context)
        self._ending(task.job, None)
        self.board.finish(task)

    def _whole(self, task: Task, token: CancelToken, act: Callable[[], None]) -> None:
        """Plan or finish a job; it fails with what they raise, or where they end the process again and again."""
        for made in range(task.attempts, self.patience.attempts + 1):
            try:
                return act()
            except LostClaimError:
                raise
            except Exception as error:
                if token.cancelled():
                    raise StoppedError from error
                if not isinstance(error, _PASSING) or made == self.patience.attempts:
                    log_unexpected(task, error)
                    self._fail(task, failure(error))
                    return None
            if token.wait(self.patience.delay(made)):
                raise StoppedError
        self._fail(task, _gave_up(task.attempts - 1))
        return None

    def _fail(self, task: Task, failure: Failure) -> None:
        """The job has failed as a whole."""
        self._ending(task.job, failure)
        self.board.finish(task, failure)

    def publish(self, task: Task) -> None:
        """Wake whoever watches the job."""
        self._bus.publish(task.job.id)


class ChunkRun:
    """One time through the pages of a chunk that are not done."""

    def __init__(self, runner: Runner, task: Task, handler: Handler, context: TaskContext, token: CancelToken) -> None:
        self._runner = runner
        self._task = task
        self._handler = handler
        self._context = context
        self._token = token
        self._most = runner.patience.most(task.job.kind)
        #: What came of the last page: written down together with the beginning of the next.
        self._ended: PageStep | None = None
        #: Pages to be tried again, and when.
        self._later: list[tuple[float, JobPage]] = []

    def through(self) -> None:
        """Every page ends up done or failed; raises `StoppedError` when it is time to stop."""
        try:
            self._first(self._runner.board.left(self._task))
            while self._later:
                due, page = self._later.pop(0)
                self._flush()
                if self._token.wait(max(0.0, due - time.monotonic())):
                    raise StoppedError
                self._together([page])
        finally:
            self._flush_quietly()

    def _first(self, pages: Sequence[JobPage]) -> None:
        """The pages that the chunk has left when it is begun."""
        most = self._most
        for page in pages:
            if page.attempts >= most:
                self._end(PageStep(page.number, failure=_gave_up(page.attempts)))
        fit = [page for page in pages if page.attempts < most]
        # After an interruption one at a time: if one of them ends the process, it is clear which.
        alone = any(page.attempts for page in pages)
        for part in [[page] for page in fit] if alone else [fit]:
            self._together(part)

    def _together(self, pages: Sequence[JobPage]) -> None:
        while pages:
            pages = pages[self._call(pages) :]

    def _call(self, pages: Sequence[JobPage]) -> int:
        """Hand pages to the handler; how many it dealt with before it raised or was through."""
        outcomes = self._outcomes(pages)
        try:
            for made, page in enumerate(pages, 1):
                if self._runner.stopping or self._token.cancelled():
                    raise StoppedError
                self._begin(page)
                outcome, sound = self._next(outcomes)
                self._end(self._step(page, outcome))
                if not sound:
                    return made
            return len(pages)
        finally:
            with suppress(Exception):  # a handler that fails while it cleans up has told its outcomes already
                outcomes.close()

    def _outcomes(self, pages: Sequence[JobPage]) -> _Closing:
        return _Closing(lambda: self._handler.run(self._task.job, pages, self._context))

    def _next(self, outcomes: Iterator[Outcome]) -> tuple[Outcome, bool]:
        """The outcome for the page whose turn it is, and whether more can come."""
        try:
            return next(outcomes), True
        except StopIteration:
            return Failed(Failure("unexpected", "The handler said nothing of this page.")), False
        except LostClaimError:
            raise
        except Exception as error:  # one page's failure is never that of the others
            if self._token.cancelled():
                raise StoppedError from error
            log_unexpected(self._task, error)
            return Failed(failure(error), again=isinstance(error, _PASSING)), False

    def _step(self, page: JobPage, outcome: Outcome) -> PageStep:
        if isinstance(outcome, Done):
            return PageStep(page.number, result=dict(outcome.result))
        made = page.attempts + 1
        again = outcome.again and made < self._most
        if again:
            due = time.monotonic() + self._runner.patience.delay(made)
            self._later.append((due, replace(page, attempts=made)))
        return PageStep(page.number, failure=outcome.failure, again=again)

    def _begin(self, page: JobPage) -> None:
        ended, self._ended = self._ended, None
        self._runner.board.step(self._task, ended, page.number)
        self._runner.publish(self._task)

    def _end(self, step: PageStep) -> None:
        self._flush()
        self._ended = step

    def _flush(self) -> None:
        if self._ended is not None:
            ended, self._ended = self._ended, None
            self._runner.board.step(self._task, ended, None)
            self._runner.publish(self._task)

    def _flush_quietly(self) -> None:
        """A page that is done stays done, even when the task is lost or the process is told to stop."""
        with suppress(LostClaimError):
            self._flush()


class _Closing:
    """An iterator that is made when it is first asked, and can be closed whatever it is."""

    def __init__(self, make: Callable[[], Iterator[Outcome]]) -> None:
        self._make = make
        self._made: Iterator[Outcome] | None = None

    def __iter__(self) -> Iterator[Outcome]:
        return self

    def __next__(self) -> Outcome:
        if self._made is None:
            self._made = iter(self._make())
        return next(self._made)

    def close(self) -> None:
        """Have it clean up."""
        close = getattr(self._made, "close", None)
        if close is not None:
            close()


def log_unexpected(task: Task, error: Exception) -> None:
    """A fault of ours or of a library: the job says which, the log says where."""
    if not isinstance(error, LimnerError):
        logger.error("Job %s (%s) failed unexpectedly", task.job.id, task.job.kind, exc_info=error)


def _gave_up(attempts: int) -> Failure:
    return Failure("gave-up", f"Given up: the process ended {attempts} times while working on it.")
