"""Stopping what runs: tokens that handlers look at, and threads that tick until told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from limner.core.errors import CancelledError

logger = logging.getLogger(__name__)

#: Seconds between two reports of a failure that lasts.
_COMPLAIN = 60.0


class CancelToken:
    """Says to one piece of work that it is time to stop."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._acts: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """Stop it; a second call does nothing."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            acts, self._acts = self._acts, []
        for act in acts:
            _safely(act)

    def cancelled(self) -> bool:
        """Whether it is time to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises `CancelledError` when it is time to stop."""
        if self._event.is_set():
            raise CancelledError

    def wait(self, seconds: float) -> bool:
        """Sleep until it is time to stop, at most so long; whether it is."""
        return self._event.wait(seconds)

    def on_cancel(self, act: Callable[[], None]) -> None:
        """Have something done when it is time to stop: at once where it is already."""
        with self._lock:
            if not self._event.is_set():
                self._acts.append(act)
                return
        _safely(act)


class Watch:
    """The tokens of all that runs in this process, by the owner id it runs under."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, CancelToken] = {}

    @contextmanager
    def token(self, owner: str) -> Iterator[CancelToken]:
        """A token for as long as the work takes."""
        token = CancelToken()
        with self._lock:
            self._tokens[owner] = token
        try:
            yield token
        finally:
            with self._lock:
                del self._tokens[owner]

    def owners(self) -> set[str]:
        """Everything that runs."""
        with self._lock:
            return set(self._tokens)

    def cancel(self, owners: Collection[str]) -> None:
        """Stop some of it."""
        with self._lock:
            tokens = [self._tokens[owner] for owner in owners if owner in self._tokens]
        for token in tokens:
            token.cancel()


class Ticker:
    """A thread that does something again and again, at once when woken, until it is stopped."""

    def __init__(self, name: str, seconds: float, act: Callable[[], object]) -> None:
        self._seconds = seconds
        self._act = act
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._complained = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first time comes at once."""
        self._thread.start()

    def wake(self) -> None:
        """Do it now."""
        self._wake.set()

    def stop(self) -> None:
        """End, and wait for what is being done just now."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            self._once()
            self._wake.wait(self._seconds)

    def _once(self) -> None:
        """One failure, of the database say, must not end what keeps everything going, nor fill the log."""
        try:
            self._act()
        except Exception:
            now = time.monotonic()
            if not self._complained or now - self._complained > _COMPLAIN:
                self._complained = now
                logger.exception("%s failed, and goes on trying", self._thread.name)
        else:
            if self._complained:
                self._complained = 0.0
                logger.warning("%s works again", self._thread.name)


def _safely(act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:
        logger.exception("What was to be done on a cancel failed")
