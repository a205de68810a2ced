"""Whether the server can work: database, blob store, a canary inference, and the queues."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from limner.core.errors import LimnerError

if TYPE_CHECKING:
    from limner.jobs.engine import Overview
    from limner.operations.services import Services
    from limner.storage.blobs import Blobs
    from limner.storage.database import Database

logger = logging.getLogger(__name__)

#: Seconds that a canary inference counts.
_LASTS = 60.0
#: Seconds after which one that has not ended is stuck; loading a large model takes a while.
_STUCK = 180.0
#: Seconds that tasks may wait while none is worked on.
_IDLE = 120.0
#: Seconds that what was seen counts: anybody may ask, as often as they like.
_MOMENT = 1.0
#: Width and height of the canary's blank image; a network with an input of its own size enlarges it.
_SIDE = 64

#: How a part of the server is: ``pending`` is not known yet, and no reason to wait.
State: TypeAlias = Literal["ok", "pending", "failed"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the server, and how it is."""

    name: str
    state: State
    #: Why, where it has failed.
    reason: str = ""


class Canary:
    """An inference with the default model, in a thread, at most once a minute and only when asked for."""

    def __init__(self, infer: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._infer = infer
        self._clock = clock
        self._lock = threading.Lock()
        self._last = Part("model", "pending")
        self._ended = float("-inf")
        self._thread: threading.Thread | None = None
        self._began = 0.0

    def look(self) -> Part:
        """What came of the last one; begins another where that is long ago. Never waits for it."""
        with self._lock:
            if self._thread is not None:
                stuck = self._clock() - self._began > _STUCK
                return (
                    Part("model", "failed", f"The canary inference takes over {_STUCK:g} s.") if stuck else self._last
                )
            if self._clock() - self._ended > _LASTS:
                self._began = self._clock()
                self._thread = threading.Thread(target=self._run, name="limner-canary", daemon=True)
                self._thread.start()
            return self._last

    def close(self) -> None:
        """Wait for one that is under way, but not for long."""
        thread = self._thread
        if thread is not None:
            thread.join(10)

    def _run(self) -> None:
        try:
            self._infer()
            came = Part("model", "ok")
        except LimnerError as error:
            came = Part("model", "failed", str(error))
        except Exception as error:
            logger.exception("The canary inference failed unexpectedly")
            came = Part("model", "failed", f"Unexpected {type(error).__name__}.")
        with self._lock:
            self._last, self._ended, self._thread = came, self._clock(), None


class Worker(Protocol):
    """The worker inside the server."""

    def check(self) -> bool:
        """Whether it works; False while it is starting. Raises what has kept it from it."""


class Readiness:
    """Looks at all parts of the server; ``overview`` gives the queues and workers."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        canary: Canary,
        overview: Callable[[], Overview],
        worker: Worker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._blobs, self._canary, self._overview = database, blobs, canary, overview
        self._worker = worker
        self._clock = clock
        self._known: tuple[float, list[Part]] = (float("-inf"), [])
        #: Since when something waits and nothing is worked on.
        self._idle_since: float | None = None

    def parts(self) -> list[Part]:
        """How each part is, now or a moment ago; blocks on database and blob store."""
        seen, parts = self._known
        if self._clock() - seen > _MOMENT:
            parts = self._look()
            self._known = (self._clock(), parts)
        return parts

    def _look(self) -> list[Part]:
        database = _tried("database", self._database.check)
        queue = _tried("queue", self._check_queue) if database.state == "ok" else Part("queue", "pending")
        worker = [] if self._worker is None else [_tried("worker", self._worker.check)]
        return [database, _tried("storage", self._blobs.check), self._canary.look(), queue, *worker]

    def close(self) -> None:
        """Wait for what is under way."""
        self._canary.close()

    def _check_queue(self) -> None:
        """Raise where tasks wait and nobody works: a long queue alone only shows that there is much to do."""
        queues = self._overview().queues
        waiting = sum(queue.waiting for queue in queues)
        if not waiting or any(queue.running for queue in queues):
            self._idle_since = None
            return
        self._idle_since = self._idle_since or self._clock()
        idle = self._clock() - self._idle_since
        if idle > _IDLE:
            raise LimnerError(f"{waiting} tasks wait, and for {idle:.0f} s nobody has taken one up.")


def _tried(name: str, check: Callable[[], object]) -> Part:
    """How a part is by a check, which raises, or says False where it is not known yet."""
    from limner.storage.database import StorageError

    try:
        known = check()
    except StorageError as error:
        # Anybody may ask, and where these are is not for everybody.
        logger.warning("Not ready: %s", error)
        return Part(name, "failed", "It cannot be used; the server's log says why.")
    except LimnerError as error:
        return Part(name, "failed", str(error))
    except Exception as error:
        logger.exception("%s could not be checked", name)
        return Part(name, "failed", f"Unexpected {type(error).__name__}.")
    return Part(name, "pending" if known is False else "ok")


def canary_of(services: Services, workspace_id: str) -> Callable[[], None]:
    """An inference with the default model of a workspace on a small blank image."""

    def infer() -> None:
        import numpy as np

        from limner.models.protocol import Options
        from limner.models.store import DEFAULT

        with services.libraries.of(workspace_id).use(DEFAULT) as predictor:
            predictor.predict(np.full((_SIDE, _SIDE, 3), 255, np.uint8), (_SIDE, _SIDE), Options())

    return infer
