"""A worker: everything that runs in a process while it takes tasks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from limner.jobs.control import Ticker, Watch
from limner.jobs.durable import Durable
from limner.jobs.events import Bus
from limner.jobs.identity import Identity
from limner.jobs.keeper import Keeper
from limner.jobs.lanes import Dispatcher, Limits, Slots
from limner.jobs.protocol import Handler
from limner.jobs.runner import Ending, Patience, Runner
from limner.storage.database import Database
from limner.storage.engine.board import Board
from limner.storage.engine.workers import Workers
from limner.storage.jobs import Failure, Job

logger = logging.getLogger(__name__)

#: Tasks that a lane takes before another takes its place: so many steps DBOS reads again after a crash.
_TASKS_A_LANE = 100
#: Seconds that handlers have to stop once they are told to.
_TO_STOP = 5.0


def _all(_kind: str, _queue: str) -> bool:
    return True


def _nobody(_job: Job, _failure: Failure | None) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How jobs are worked on."""

    limits: Limits = field(default_factory=Limits)
    #: Whether this worker takes tasks of a kind and queue that it has the handler for.
    serves: Callable[[str, str], bool] = _all
    #: Pages in a chunk: so many are done between two turns of a workspace.
    chunk: int = 20
    patience: Patience = field(default_factory=Patience)
    #: Told of every job that is about to end here; not of one that is cancelled.
    ending: Ending = _nobody
    #: Seconds between two looks for something to do, and for what was cancelled elsewhere.
    poll: float = 0.5
    #: Seconds between two beats, each with a look at the other workers.
    beat: float = 5.0
    #: Seconds without a beat after which a worker is dead.
    dead_after: float = 20.0


class Worker:
    """Lanes, the dispatcher that starts them, and the keeper that watches over them."""

    def __init__(
        self, database: Database, handlers: Mapping[str, Handler], folder: Path, options: EngineOptions, bus: Bus
    ) -> None:
        self._handlers = handlers
        self._options = options
        self._board = Board(database)
        self._watch = Watch()
        self._slots = Slots(options.limits)
        self._identity = Identity(folder)
        self._durable = Durable(database, self._identity.id)
        self._runner = Runner(
            self._board,
            handlers,
            watch=self._watch,
            bus=bus,
            patience=options.patience,
            chunk=options.chunk,
            overall=options.limits.overall,
            ending=options.ending,
        )
        self._dispatcher = Dispatcher(
            self._board, self._slots, self._watch, options.limits, serves=self._serves, start=self._durable.run
        )
        self.keeper = Keeper(
            Workers(database),
            self._board,
            self._durable,
            self._identity,
            kinds=sorted(handlers),
            dead_after=options.dead_after,
        )
        self._looking = Ticker("limner-dispatcher", options.poll, self._dispatcher.tick)
        self._keeping = Ticker("limner-keeper", options.beat, self.keeper.tick)

    def start(self) -> None:
        """Begin: with what this process left when it last ended."""
        with ExitStack() as undo:
            undo.callback(self._identity.release)
            self.keeper.register()
            undo.callback(self.keeper.leave)
            self._durable.start(self._lane)
            undo.pop_all()
        self._looking.start()
        self._keeping.start()

    def wake(self) -> None:
        """Look for something to do, now."""
        self._looking.wake()

    def forget_lanes(self, before: datetime) -> int:
        """Forget lanes that ended before then; how many."""
        return self._durable.forget(before)

    def stop(self, grace: float) -> None:
        """Let the pages under way end within ``grace`` seconds, then tell their handlers to stop."""
        self._dispatcher.stopping = self._runner.stopping = True
        if not self._quiet_within(grace):
            self._watch.cancel(self._watch.owners())
            if not self._quiet_within(_TO_STOP):
                logger.warning("%s lanes did not stop; their pages are done again elsewhere", self._slots.running())
        with ExitStack() as last:  # whatever one of them raises, the others have their turn
            for act in (self._identity.release, self.keeper.leave, self._durable.stop):
                last.callback(act)
            self._keeping.stop()
            self._looking.stop()

    def _quiet_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._slots.running() and time.monotonic() < deadline:
            time.sleep(0.02)
        return not self._slots.running()

    def _serves(self, kind: str, queue: str) -> bool:
        return kind in self._handlers and self._options.serves(kind, queue)

    def _lane(self, lane: str, queue: str) -> int:
        """A lane from its beginning to its end; how many tasks it did.

        One that is resumed finds its place taken where others have begun meanwhile, or is not for
        this worker at all: its task is then put back.
        """
        try:
            return self._tasks(lane, queue) if self._slots.take(lane, queue) else 0
        finally:
            try:
                self._board.give_back(lane)
            finally:  # where the database has gone, the keeper finds the task when it is back
                self._slots.free(lane)
                self.wake()

    def _tasks(self, lane: str, queue: str) -> int:
        kinds = [kind for kind in self._handlers if self._serves(kind, queue)]
        done = 0
        while done < _TASKS_A_LANE and self._durable.step(lambda: self._runner.next_task(lane, queue, kinds)):
            done += 1
            if self._slots.yields(queue):
                break
        return done
