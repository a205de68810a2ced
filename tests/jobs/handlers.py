"""A kind of job that does what its payload says, and writes down every page that it begins."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from limner.core.errors import CancelledError, DecodeError, SourceError
from limner.jobs.protocol import Context, Done, Failed, Outcome, TryAgainError, failure
from limner.storage.jobs import Job
from limner.storage.pages import JobPage, PlannedPage


class Scripted:
    """Payload: ``pages``, ``seconds`` a page, and lists of page numbers under ``fail``, ``crash``, ``die``, ``deaf``.
    Those under ``hold`` wait until `release` is called, in whatever process; under ``hold_deaf`` even when cancelled.

    ``flaky`` maps a page to how many attempts fail before one succeeds; ``plan`` and ``finish`` may
    say ``fail``, ``die`` or ``flaky``.
    """

    def __init__(self, log: Path, kind: str = "scripted") -> None:
        self.kind = kind
        self.log = log
        #: Pages that run at this moment, by queue, and the most that ever did.
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        #: Queues in the order in which their pages were begun.
        self.order: list[str] = []
        self._lock = threading.Lock()

    def plan(self, job: Job, context: Context) -> Sequence[PlannedPage]:
        self._whole(job, "plan", context)
        return [PlannedPage(f"{number}.jpg", {"n": number}) for number in range(job.payload["pages"])]

    def run(self, job: Job, pages: Sequence[JobPage], context: Context) -> Iterator[Outcome]:
        for page in pages:
            self._write(f"{job.id} {page.number} {os.getpid()}")
            with self._counted(job.queue):
                yield self._page(job, page, context)

    def finish(self, job: Job, context: Context) -> None:
        self._whole(job, "finish", context)

    def release(self) -> None:
        """Let the pages go on that are held."""
        self._sign.touch()

    @property
    def _sign(self) -> Path:
        return self.log.with_name(f"{self.log.name}.go")

    def begun(self, job_id: str) -> Counter[int]:
        """How often each page of a job was begun, in all processes."""
        return Counter(int(line.split()[1]) for line in self._lines() if line.startswith(job_id))

    def by_process(self, job_id: str) -> Counter[int]:
        """How many pages of a job each process began."""
        return Counter(int(line.split()[2]) for line in self._lines() if line.startswith(job_id))

    def _lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def _page(self, job: Job, page: JobPage, context: Context) -> Outcome:
        script, number = job.payload, page.number
        self._hold(script, number, context)
        if number in script.get("deaf", ()):  # does not look whether it was cancelled
            time.sleep(script.get("seconds", 0))
        elif context.wait(script.get("seconds", 0)):
            raise CancelledError
        if number in script.get("die", ()):
            os.kill(os.getpid(), 9)
        if number in script.get("fail", ()):
            return Failed(failure(DecodeError()))
        if number in script.get("crash", ()):
            raise ZeroDivisionError("a fault of ours")
        if page.attempts < script.get("flaky", {}).get(str(number), 0):
            raise TryAgainError("The host is busy.")
        return Done({"page": number, "name": page.name})

    def _hold(self, script: Mapping[str, Any], number: int, context: Context) -> None:
        if number in script.get("hold", ()):
            while not self._sign.exists() and not context.wait(0.01):
                pass
        if number in script.get("hold_deaf", ()):
            while not self._sign.exists():
                time.sleep(0.01)

    def _whole(self, job: Job, what: str, context: Context) -> None:
        self._write(f"{what} {job.id}")
        match job.payload.get(what):
            case "fail":
                raise SourceError("The manifest is gone.")
            case "die":
                os.kill(os.getpid(), 9)
            case "flaky" if self.log.read_text().count(f"{what} {job.id}") < 2:
                raise TryAgainError
            case "slow":
                context.wait(30)
                context.check()

    def _write(self, line: str) -> None:
        with self.log.open("a") as file:
            file.write(line + "\n")

    def _counted(self, queue: str) -> "_Counted":
        return _Counted(self, queue)

    def enter(self, queue: str) -> None:
        with self._lock:
            self.order.append(queue)
            self.now[queue] += 1
            self.now["all"] += 1
            for name in (queue, "all"):
                self.most[name] = max(self.most[name], self.now[name])

    def leave(self, queue: str) -> None:
        with self._lock:
            self.now[queue] -= 1
            self.now["all"] -= 1


class _Counted:
    def __init__(self, handler: Scripted, queue: str) -> None:
        self._handler, self._queue = handler, queue

    def __enter__(self) -> None:
        self._handler.enter(self._queue)

    def __exit__(self, *_: object) -> None:
        self._handler.leave(self._queue)
