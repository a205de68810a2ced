"""Keeping watch: saying that this process is there, and looking after the work of those that are not."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Sequence

from limner.jobs.durable import Durable, Lane
from limner.jobs.identity import Identity
from limner.storage.database import StorageError
from limner.storage.engine.board import Board
from limner.storage.engine.workers import Worker, Workers

logger = logging.getLogger(__name__)


class Keeper:
    """Beats for this worker, and rescues the lanes of workers whose beat has stopped.

    A worker is dead when its beat has not changed for ``dead_after`` seconds of *our* clock: the
    clocks of machines need not agree.
    """

    def __init__(
        self,
        workers: Workers,
        board: Board,
        durable: Durable,
        identity: Identity,
        *,
        kinds: Sequence[str],
        dead_after: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workers = workers
        self._board = board
        self._durable = durable
        self._identity = identity
        self._kinds = kinds
        self._dead_after = dead_after
        self._clock = clock
        self._incarnation = ""
        self._beats: dict[tuple[str, str], tuple[int, float]] = {}

    def register(self) -> None:
        """Say that this worker is there: before it takes up what it left, or another might do so as well."""
        self._incarnation = uuid.uuid4().hex
        identity, pid = self._identity, os.getpid()
        self._workers.register(identity.id, self._incarnation, host=identity.host, pid=pid, kinds=self._kinds)

    def leave(self) -> None:
        """Say that this worker has stopped as it should; where that is not possible, the others will notice."""
        try:
            self._workers.stop(self._identity.id, self._incarnation)
        except StorageError as error:
            logger.warning("The others were not told that this worker stops: %s", error)

    def tick(self) -> None:
        """Beat, and look at the others."""
        if not self._workers.beat(self._identity.id, self._incarnation):
            # Asleep for too long, and the others have taken our tasks: what still runs here finds
            # that it has lost its claim.
            logger.warning("This worker was taken for dead; it goes on under the same name")
            self.register()
        self.bury()
        self.rescue()

    def bury(self) -> None:
        """Declare those dead whose beat has stopped."""
        found = {(one.id, one.incarnation): one for one in self._workers.all() if self._may_be_dead(one)}
        self._beats = {key: self._beats.get(key, (-1, 0.0)) for key in found}
        for key, worker in found.items():
            beat, since = self._beats[key]
            if worker.beat != beat:
                self._beats[key] = (worker.beat, self._clock())
            elif self._clock() - since > self._dead_after and self._workers.declare_dead(worker):
                logger.warning("The worker %s (process %s on %s) is dead", worker.id, worker.pid, worker.host)

    def _may_be_dead(self, worker: Worker) -> bool:
        return worker.state == "alive" and worker.id != self._identity.id

    def rescue(self) -> int:
        """Have the lanes of dead workers resumed, and tasks put back that no lane holds; how many of both."""
        alive = {worker.id for worker in self._workers.all() if worker.state == "alive"}
        rescued = self._orphans(alive)
        if any(lane.executor not in alive for lane in self._durable.pending()):
            rescued += self._resume()
        return rescued

    def _resume(self) -> int:
        # Alone, and with everything read anew: a lane must not be resumed twice, nor when its worker is back.
        with self._workers.alone() as workers:
            if workers is None:
                return 0
            alive = {worker.id for worker in workers if worker.state == "alive"}
            left = [lane for lane in self._durable.pending() if lane.executor not in alive]
            for lane in left:
                logger.warning("Resuming lane %s of the dead worker %s", lane.id, lane.executor)
                self._durable.resume(lane.id)
        return len(left)

    def _orphans(self, alive: set[str]) -> int:
        """Put back the tasks of lanes that have failed, are unknown, or of an older version and dead."""
        held = self._board.lanes()
        known = self._durable.lanes(held)
        lost = [lane for lane in held if lane not in known or _has_let_go(known[lane], alive)]
        for lane in lost:
            if self._board.give_back(lane):
                logger.warning("Put back the task of lane %s, which has ended without finishing it", lane)
        return len(lost)


def _has_let_go(lane: Lane, alive: set[str]) -> bool:
    """Whether nobody works for a lane any more: it has ended, or is of an older version and its worker is dead."""
    return lane.ended or not (lane.live or lane.executor in alive)
