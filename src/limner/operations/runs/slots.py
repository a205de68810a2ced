"""Places to train on this machine: one a GPU, or one for all its cores; whichever processes ask for them.

A place is a lock on a file. The process that learns holds it open too, so that a place is not free before it has
ended, whatever became of the one that started it.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from limner.core.errors import CancelledError, UsageError

#: Seconds between two attempts at a place.
_LOOK = 1.0


def gpus() -> list[str]:
    """The GPUs that may be used, by their numbers; none where there are none. Nothing is loaded for that."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [each.strip() for each in chosen.split(",") if each.strip() not in ("", "-1")]
    found = [match[1] for path in Path("/dev").glob("nvidia*") if (match := re.fullmatch(r"nvidia(\d+)", path.name))]
    return sorted(found, key=int)


class Slots:
    """The places of this machine, for one data folder."""

    def __init__(self, data: Path, found: Sequence[str] | None = None) -> None:
        self._folder = data / "training"
        self._gpus = list(gpus() if found is None else found)

    def __len__(self) -> int:
        return max(1, len(self._gpus))

    @contextmanager
    def taken(self, wanted: int, wait: Callable[[float], bool]) -> Iterator[tuple[list[str] | None, list[int]]]:
        """So many places at once: the GPUs (None where there are none) and the open files of the locks.

        ``wait`` sleeps, and says whether to give up: then it raises `CancelledError`. Raises `UsageError` where
        there are not so many.
        """
        if self._gpus and wanted > len(self._gpus):
            raise UsageError(f"The run wants {wanted} GPUs, and this machine has {len(self._gpus)}.")
        self._folder.mkdir(parents=True, exist_ok=True)
        count = wanted if self._gpus else 1
        with ExitStack() as stack:
            while len(held := self._try(count)) < count:
                _close(held.values())
                if wait(_LOOK):
                    raise CancelledError
            stack.callback(_close, list(held.values()))
            yield ([self._gpus[at] for at in held] if self._gpus else None), list(held.values())

    def _try(self, count: int) -> dict[int, int]:
        """As many free places as there are, up to ``count``: their numbers, and the open files."""
        held: dict[int, int] = {}
        for at in range(len(self)):
            if len(held) == count:
                break
            file = os.open(self._folder / f"{socket.gethostname()}-{at}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            held[at] = file
        return held


def _close(files: Iterable[int]) -> None:
    for file in files:
        os.close(file)
