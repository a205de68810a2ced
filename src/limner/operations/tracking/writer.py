"""The thread that sends to MLflow what others have put into a bounded queue.

Putting something there takes microseconds and never waits. Where MLflow is down, what comes waits up to
the bound and is then lost, and counted; a line in the log says so once a minute.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from limner.operations.tracking.store import (
    MOST_POINTS,
    End,
    Point,
    RefusedError,
    Store,
    TrackingError,
    find_or_create,
)

logger = logging.getLogger(__name__)

#: Runs whose ids are kept.
_RUNS = 500


@dataclass(frozen=True, slots=True)
class Run:
    """A run, as it is found or made. Two with the same experiment and key are the same."""

    experiment: str
    key: str
    name: str = field(compare=False)
    params: Mapping[str, str] = field(compare=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to be noted in a run."""

    run: Run
    values: Mapping[str, float]
    step: int
    #: Milliseconds since 1970.
    at: int
    #: How the run has ended, where it has.
    end: End | None = None
    #: Gives values that take a while to reckon, in the thread that sends them.
    late: Callable[[], Mapping[str, float]] | None = None
    #: Files to be kept with the run, by the names that they get there.
    files: Mapping[str, str] = field(default_factory=dict)

    def points(self) -> Iterator[Point]:
        """Its values, each for itself."""
        values = {**self.values, **self.late()} if self.late else self.values
        return (Point(name, value, self.step, self.at) for name, value in values.items())


@dataclass(frozen=True, slots=True)
class Pace:
    """How much waits, and how long; seconds."""

    #: Between two batches: a batch costs MLflow 8 ms and each value 0.05, measured, which is often on the same machine.
    interval: float = 10.0
    #: Entries that may wait. Each takes about 1 kB.
    most: int = 10_000
    #: Before the second attempt; each further one waits twice as long as the one before …
    first: float = 1.0
    #: … and at most so long.
    longest: float = 60.0
    #: Between two lines in the log.
    quiet: float = 60.0
    #: For the last batch, when the process ends.
    grace: float = 8.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How it went so far."""

    #: Entries that MLflow has.
    sent: int = 0
    #: Entries that it will never have.
    lost: int = 0
    #: Attempts that failed.
    failures: int = 0


class Writer:
    """Takes entries, and sends them in batches. The thread starts with the first."""

    def __init__(self, name: str, open_store: Callable[[], Store], pace: Pace | None = None) -> None:
        self._name = name
        self._pace = pace or Pace()
        self._sender = _Sender(open_store)
        self._waiting: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._counts = Counts()
        self._said = 0.0
        self._failing = 0

    @property
    def counts(self) -> Counts:
        """How it went so far."""
        return self._counts

    def put(self, entry: Entry) -> None:
        """Have something noted, soon. Takes microseconds."""
        with self._changed:
            if self._closing or len(self._waiting) >= self._pace.most:
                self._count(lost=1)
                return
            self._waiting.append(entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="limner-tracking", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Send what waits, within the grace that there is; what MLflow does not take is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(self._pace.grace)
            if self._thread.is_alive():
                # It is no part of the work that people wait for: the process ends without it.
                logger.warning("MLflow (%s) takes too long: some timings may be lost", self._name)

    def _run(self) -> None:
        try:
            while not self._pause():
                self._send()
            self._send()
        finally:
            self._sender.close()
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
        if left:
            self._count(lost=left)
            logger.warning("MLflow (%s) did not take the last %d timings", self._name, left)

    def _pause(self) -> bool:
        """Let a batch gather; whether it is the last."""
        delay = self._pace.interval
        if self._failing:
            delay = max(delay, min(self._pace.longest, self._pace.first * 2 ** (self._failing - 1)))
        with self._changed:
            return self._changed.wait_for(lambda: self._closing, delay)

    def _send(self) -> None:
        """Send what waits; what could not be sent waits again, ahead of the rest."""
        with self._changed:
            batch = list(self._waiting)
            self._waiting.clear()
        for run, entries in _by_run(batch).items():
            try:
                self._sender.send(run, entries)
                self._count(sent=len(entries))
            except Exception as error:  # noqa: BLE001 - nothing that goes wrong here may end the thread
                if lasting(error):
                    self._count(lost=len(entries), failures=1)
                    self._say(error)
                else:
                    self._wait_again(batch, error)
                    return
            batch = [entry for entry in batch if entry.run != run]
        if self._failing:
            self._failing = 0
            logger.warning("MLflow (%s) works again", self._name)

    def _wait_again(self, batch: Sequence[Entry], error: Exception) -> None:
        """Put back what was not sent; of too much the newest is lost."""
        self._failing += 1
        with self._changed:
            room = max(0, self._pace.most - len(self._waiting))
            self._waiting.extendleft(reversed(batch[:room]))
            self._count(lost=max(0, len(batch) - room), failures=1)
        self._say(error)

    def _say(self, error: Exception) -> None:
        """One line a minute."""
        now = time.monotonic()
        if self._said and now - self._said < self._pace.quiet:
            return
        self._said = now
        told = error if isinstance(error, TrackingError) else f"{type(error).__name__}: {error}"
        logger.warning(
            "MLflow (%s): %s. %d timings wait, %d are lost.", self._name, told, len(self._waiting), self._counts.lost
        )

    def _count(self, *, sent: int = 0, lost: int = 0, failures: int = 0) -> None:
        with self._changed:  # a condition's lock may be taken again by the thread that holds it
            counts = self._counts
            self._counts = Counts(counts.sent + sent, counts.lost + lost, counts.failures + failures)


def lasting(error: Exception) -> bool:
    """Whether trying again is no use: MLflow has refused it, or the fault is ours."""
    return isinstance(error, RefusedError) or not isinstance(error, TrackingError)


class _Sender:
    """Sends to a store, which is opened when there is something to send; remembers the ids of runs."""

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open = open_store
        self._store: Store | None = None
        self._experiments: dict[str, str] = {}
        self._runs: OrderedDict[Run, str] = OrderedDict()

    def send(self, run: Run, entries: Sequence[Entry]) -> None:
        """Note entries in their run; raises `TrackingError`."""
        if self._store is None:
            self._store = self._open()
        known = run in self._runs
        try:
            self._note(self._store, run, entries)
        except RefusedError:
            self._forget(run)
            if not known:
                raise
            self._note(self._store, run, entries)  # somebody has deleted it: then there is a new one

    def _note(self, store: Store, run: Run, entries: Sequence[Entry]) -> None:
        run_id = self._id(store, run)
        points = [point for entry in entries for point in entry.points()]
        for start in range(0, len(points), MOST_POINTS):
            store.log(run_id, points[start : start + MOST_POINTS])
        for entry in entries:
            self._keep(store, run_id, entry.files)
            if entry.end is not None:
                store.end(run_id, entry.end, entry.at)
                self._runs.pop(run, None)

    def _keep(self, store: Store, run_id: str, files: Mapping[str, str]) -> None:
        """Keep files; one that MLflow does not take is no reason to lose the rest."""
        for name, path in files.items():
            try:
                store.keep(run_id, name, path)
            except RefusedError as error:
                logger.warning("MLflow did not take the file %s: %s", name, error)

    def _id(self, store: Store, run: Run) -> str:
        if run in self._runs:
            self._runs.move_to_end(run)
            return self._runs[run]
        if run.experiment not in self._experiments:
            self._experiments[run.experiment] = store.experiment(run.experiment)
        experiment = self._experiments[run.experiment]
        self._runs[run] = find_or_create(store, experiment, run.key, run.name, run.params)
        if len(self._runs) > _RUNS:
            self._runs.popitem(last=False)
        return self._runs[run]

    def _forget(self, run: Run) -> None:
        self._runs.pop(run, None)
        self._experiments.pop(run.experiment, None)

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()


def _by_run(entries: Sequence[Entry]) -> dict[Run, list[Entry]]:
    out: dict[Run, list[Entry]] = {}
    for entry in entries:
        out.setdefault(entry.run, []).append(entry)
    return out
