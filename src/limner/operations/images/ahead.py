"""Making tiled images ahead of the first viewer, in the background, for what has just been taken in.

Nothing here is promised: what is not made when the process ends is made when somebody asks for it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator

from limner.core.errors import LimnerError, NotFoundError
from limner.operations.images.shelf import Original, Shelf

logger = logging.getLogger(__name__)

#: Documents that may wait; of more than that, the images are made when somebody asks for them.
_MOST_WAITING = 1000


class MakingAhead:
    """A thread that makes tiled images, and rests as long as it has worked: others need the processors more."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._waiting: queue.SimpleQueue[Callable[[], Iterator[Original]] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="limner-tiles", daemon=True)
        self._thread.start()

    def add(self, originals: Callable[[], Iterator[Original]]) -> None:
        """Make the tiled images of these when there is time; ``originals`` is called in the thread."""
        if self._waiting.qsize() < _MOST_WAITING:
            self._waiting.put(originals)

    def stop(self) -> None:
        """Finish the image that is being made, and no other."""
        self._stopping.set()
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (originals := self._waiting.get()) is not None and not self._stopping.is_set():
            try:
                self._make_all(originals())
            except NotFoundError:
                logger.info("What tiled images were to be made of was deleted meanwhile")
            except Exception:
                logger.exception("Tiled images could not be made ahead")

    def _make_all(self, originals: Iterator[Original]) -> None:
        for original in originals:
            began = time.monotonic()
            if self._shelf.find(original.key) is None:
                self._make(original)
            if self._stopping.wait(time.monotonic() - began):
                return

    def _make(self, original: Original) -> None:
        try:
            self._shelf.make(original)
        except LimnerError as error:
            logger.info("No tiled image could be made for %s: %s", original.key, error)
