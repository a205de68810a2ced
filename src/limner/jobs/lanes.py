"""How many lanes run on which queue, and starting them where there is something to do."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from limner.jobs.control import Watch
from limner.storage.engine.board import Board, QueueState
from limner.storage.jobs import is_parent

logger = logging.getLogger(__name__)


def _one(_queue: str) -> int:
    return 1


def _any(_queue: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be done at one time."""

    #: Tasks with pages in this process, on all queues.
    total: int = 2
    #: Of these, how many on a queue: 1 is strictly one after another.
    each: Callable[[str], int] = _one
    #: Tasks on a queue in all processes together; None for no such limit. It counts what a dead
    #: process holds until that is found out.
    overall: Callable[[str], int | None] = _any
    #: Jobs of a kind that are planned or finished in this process; these do not count above.
    parents: int = 4
    #: Queues whose tasks do not count above either: what they do is done in processes of its own.
    apart: frozenset[str] = frozenset()


class Slots:
    """Which lanes run in this process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._lanes: dict[str, str] = {}
        self._crowded = False

    def take(self, lane: str, queue: str) -> bool:
        """A place for a lane, if there is one; a lane that has its place keeps it."""
        with self._lock:
            if lane not in self._lanes and self._room(queue) <= 0:
                return False
            self._lanes[lane] = queue
            return True

    def free(self, lane: str) -> None:
        """The lane has ended."""
        with self._lock:
            self._lanes.pop(lane, None)

    def room(self, queue: str) -> int:
        """How many more lanes may run on a queue."""
        with self._lock:
            return self._room(queue)

    def running(self, queue: str | None = None) -> int:
        """How many lanes run, on a queue or on all."""
        with self._lock:
            return sum(1 for other in self._lanes.values() if queue in (None, other))

    def crowd(self, crowded: bool) -> None:
        """Whether a queue waits only because lanes of others take up all places."""
        self._crowded = crowded

    def yields(self, queue: str) -> bool:
        """Whether a lane should end after its task, so that another queue has its turn."""
        return self._crowded and not is_parent(queue)

    def _room(self, queue: str) -> int:
        here = sum(1 for other in self._lanes.values() if other == queue)
        if is_parent(queue):
            return self._limits.parents - here
        if queue in self._limits.apart:
            return self._limits.each(queue) - here
        pages = sum(1 for other in self._lanes.values() if not is_parent(other) and other not in self._limits.apart)
        return min(self._limits.each(queue) - here, self._limits.total - pages)


class Dispatcher:
    """Looks what there is to do, and starts lanes for it; stops what has lost its task."""

    def __init__(
        self,
        board: Board,
        slots: Slots,
        watch: Watch,
        limits: Limits,
        *,
        serves: Callable[[str, str], bool],
        start: Callable[[str, str], None],
    ) -> None:
        self._board = board
        self._slots = slots
        self._watch = watch
        self._limits = limits
        self._serves = serves
        self._start = start
        self._last: dict[str, float] = {}
        self.stopping = False

    def tick(self) -> None:
        """Once round; called twice a second, and whenever something has changed here."""
        if owners := self._watch.owners():
            self._watch.cancel(self._board.lost(owners))
        if not self.stopping:
            self._dispatch()

    def _dispatch(self) -> None:
        queues = [queue for queue in self._together() if queue.waiting > 0]
        # The one that was served longest ago first: a busy queue must not keep the others out.
        for queue in sorted(queues, key=lambda queue: self._last.get(queue.name, 0.0)):
            for _ in range(min(queue.waiting, self._slots.room(queue.name))):
                self._begin(queue.name)
        held_up = [queue for queue in queues if not is_parent(queue.name) and not self._slots.running(queue.name)]
        self._slots.crowd(bool(held_up))

    def _together(self) -> list[QueueState]:
        """The queues, each with as many tasks waiting as this worker could take and is allowed to."""
        found: dict[str, QueueState] = {}
        for part in self._board.queues():
            before = found.get(part.name, QueueState(part.name, part.kind, 0, 0))
            waiting = part.waiting if self._serves(part.kind, part.name) else 0
            found[part.name] = QueueState(part.name, part.kind, before.waiting + waiting, before.running + part.running)
        return [self._allowed(queue) for queue in found.values()]

    def _allowed(self, queue: QueueState) -> QueueState:
        overall = self._limits.overall(queue.name)
        return queue if overall is None else replace(queue, waiting=min(queue.waiting, overall - queue.running))

    def _begin(self, queue: str) -> None:
        lane = uuid.uuid4().hex
        if not self._slots.take(lane, queue):
            return
        self._last[queue] = time.monotonic()
        try:
            self._start(lane, queue)
        except BaseException:
            self._slots.free(lane)
            raise
