"""The loaded models: each is loaded once, on demand, and all together stay within a budget of memory."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from limner.core.errors import LimnerError, ModelError
from limner.core.registry import Registry
from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.protocol import RUNTIMES, Options, Predictor, Runtime, RuntimeOptions, Sender
from limner.models.store import ModelStore

#: What a network takes besides its weights, bytes: measured 45 MB for YOLOv5n at 640 × 640.
_WORKING_MEMORY = 64_000_000
#: Weights are there twice while a network is being optimised.
_WEIGHTS_FACTOR = 2
#: Side of the blank image that a model is warmed up with where it does not say what it needs, pixels.
_WARM_SIDE = 640


@runtime_checkable
class Measured(Protocol):
    """A predictor that knows how much memory it takes."""

    #: Bytes.
    memory: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is in memory."""

    #: Name and version.
    ref: str
    #: Memory that it is reckoned to take, bytes.
    memory: int
    #: How many use it now.
    users: int


@dataclass(slots=True, eq=False)
class _Entry:
    """A model that is loaded or being loaded."""

    bundle: Bundle
    key: tuple[str, str]
    #: Memory set aside for it, bytes; 0 until there is room.
    memory: int = 0
    users: int = 0
    last_used: int = 0
    predictor: Predictor | None = None
    error: Exception | None = None
    #: Set when ``predictor`` or ``error`` is there.
    ready: threading.Event = field(default_factory=threading.Event)


class ModelPool:
    """Loads models when they are asked for, and lets go of the least recently used.

    ``patience`` is how long a request waits for memory that other models are using, seconds.
    """

    def __init__(
        self,
        store: ModelStore,
        settings: Settings,
        *,
        runtimes: Registry[Runtime] = RUNTIMES,
        patience: float = 300.0,
        send: Sender | None = None,
    ) -> None:
        self._store = store
        self._budget = settings.model_memory
        self._options = RuntimeOptions(threads=settings.threads, send=send)
        self._runtimes = runtimes
        self._patience = patience
        self._entries: dict[tuple[str, str], _Entry] = {}
        #: Guards all entries; notified when memory may have become free. Never held while loading.
        self._changed = threading.Condition()
        self._clock = itertools.count(1)
        self._closed = False

    @contextmanager
    def use(self, name: str) -> Iterator[Predictor]:
        """The model behind a name, loaded, and kept loaded inside the ``with``.

        Raises `ModelNotFoundError`, `BundleError` or `ModelError`; one that failed is tried again the
        next time.
        """
        with self.use_bundle(self._store.get(name)) as predictor:
            yield predictor

    @contextmanager
    def use_bundle(self, bundle: Bundle) -> Iterator[Predictor]:
        """The same for a bundle, wherever it was found."""
        entry, first = self._enter(bundle)
        try:
            if first:
                self._load(entry)
            entry.ready.wait()
            if entry.predictor is None:
                raise _again(entry)
            yield entry.predictor
        finally:
            self._leave(entry)

    def warm(self, name: str) -> None:
        """Load a model and let it predict once, so that the first user need not wait."""
        with self.use(name) as predictor:
            side = predictor.wanted_side or _WARM_SIDE
            predictor.predict(np.full((side, side, 3), 255, np.uint8), (side, side), Options())

    def loaded(self) -> tuple[Loaded, ...]:
        """The models in memory, the least recently used first."""
        with self._changed:
            entries = sorted(self._entries.values(), key=lambda each: each.last_used)
            return tuple(
                Loaded(each.bundle.ref, each.memory, each.users) for each in entries if each.predictor is not None
            )

    def close(self) -> None:
        """Give all memory back; what is in use goes when its users are done. Nothing is loaded any more."""
        with self._changed:
            self._closed = True
            idle = [each for each in self._entries.values() if not each.users]
            gone = [self._forget(each) for each in idle]
            self._changed.notify_all()
        _close(gone)

    def _enter(self, bundle: Bundle) -> tuple[_Entry, bool]:
        """The entry of a bundle with one more user, and whether it is new."""
        with self._changed:
            if self._closed:
                raise ModelError("The models are closed: the process is about to end.")
            key = _key(bundle)
            first = key not in self._entries
            entry = self._entries.setdefault(key, _Entry(bundle, key))
            entry.users += 1
            entry.last_used = next(self._clock)
            return entry, first

    def _leave(self, entry: _Entry) -> None:
        gone: list[Predictor | None] = []
        with self._changed:
            entry.users -= 1
            if self._closed and not entry.users:
                gone.append(self._forget(entry))
            self._changed.notify_all()
        _close(gone)

    def _load(self, entry: _Entry) -> None:
        """Load a model; whoever waits for it gets the same answer."""
        try:
            self._reserve(entry)
            predictor = self._runtimes.get(entry.bundle.runtime).load(entry.bundle, self._options)
        except BaseException as error:
            with self._changed:
                entry.error = error if isinstance(error, Exception) else ModelError("Loading was interrupted.")
                self._forget(entry)
                self._changed.notify_all()
            entry.ready.set()
            raise
        with self._changed:
            entry.predictor = predictor
            if isinstance(predictor, Measured):
                entry.memory = predictor.memory
            surplus = self._evict(0)
        entry.ready.set()
        _close(surplus)

    def _reserve(self, entry: _Entry) -> None:
        """Set memory aside for a model, at the cost of those that nobody uses; wait if need be."""
        needed = estimated_memory(entry.bundle)
        if needed > self._budget:
            raise ModelError(
                f"The model {entry.bundle.ref} needs about {needed:,} bytes of memory, and all models may take "
                f"{self._budget:,}.",
                hint="Raise LIMNER_MODEL_MEMORY.",
            )
        until = time.monotonic() + self._patience
        gone: list[Predictor | None] = []
        with self._changed:
            gone += self._evict(needed)
            while self._used() + needed > self._budget:
                if not self._changed.wait(until - time.monotonic()) and time.monotonic() >= until:
                    raise ModelError(f"There was no memory for the model {entry.bundle.ref}: others are in use.")
                gone += self._evict(needed)
            entry.memory = needed
        _close(gone)

    def _used(self) -> int:
        return sum(each.memory for each in self._entries.values())

    def _evict(self, needed: int) -> list[Predictor | None]:
        """Forget models that nobody uses, the least recently used first, until so much memory is free."""
        idle = sorted((each for each in self._entries.values() if not each.users), key=lambda each: each.last_used)
        gone = []
        for each in idle:
            if self._used() + needed <= self._budget:
                break
            gone.append(self._forget(each))
        return gone

    def _forget(self, entry: _Entry) -> Predictor | None:
        """Take an entry out; its predictor is to be closed by the caller, outside the lock."""
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
        entry.memory = 0
        return entry.predictor


def estimated_memory(bundle: Bundle) -> int:
    """Memory that a model will take, bytes: what the bundle says, or reckoned from its weights."""
    if bundle.memory is not None:
        return bundle.memory
    return _WORKING_MEMORY + (bundle.weights.size * _WEIGHTS_FACTOR if bundle.weights else 0)


def _key(bundle: Bundle) -> tuple[str, str]:
    """All that is said of it: others of the same name may replace it, or belong to other workspaces."""
    return str(bundle.folder), bundle.model_dump_json()


def _close(predictors: list[Predictor | None]) -> None:
    for predictor in predictors:
        if predictor is not None:
            predictor.close()


def _again(entry: _Entry) -> LimnerError:
    """The error of another thread, as an error of this one."""
    error = entry.error
    again = (
        type(error)(error.message, hint=error.hint)
        if isinstance(error, LimnerError)
        else ModelError(f"The model {entry.bundle.ref} could not be loaded: {error}")
    )
    again.__cause__ = error
    return again
