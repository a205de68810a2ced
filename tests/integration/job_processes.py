"""Worker processes that the tests start, kill and start again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from limner.storage.database import Database
from limner.storage.jobs import Job, Jobs
from limner.storage.workspaces import Workspaces
from tests.jobs.handlers import Scripted

_SCRIPT = Path(__file__).with_name("job_worker.py")
_ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


@dataclass
class Farm:
    """A database, a log of all pages begun, and workers."""

    url: str
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = Database(self.url)
        self.database.upgrade()
        self.home = Workspaces(self.database).ensure("Library").id
        self.jobs = Jobs(self.database, self.home)
        self.handler = Scripted(self.folder / "log")

    def start(self, name: str = "data", **options: object) -> subprocess.Popen[str]:
        """Start a worker with a data folder of that name, and wait until it is ready."""
        command = [sys.executable, str(_SCRIPT), self.url, str(self.folder / name), str(self.handler.log)]
        process = subprocess.Popen(
            [*command, json.dumps(options)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End a worker with no warning."""
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def wait(self, job_id: str, seconds: float = 60.0) -> Job:
        """The job once it has ended."""
        until(lambda: self.jobs.get(job_id).final, seconds)
        return self.jobs.get(job_id)

    def repeated(self, job_id: str) -> dict[int, int]:
        """Pages that were begun more than once."""
        return {page: times for page, times in self.handler.begun(job_id).items() if times > 1}


@contextmanager
def farm(url: str, folder: Path) -> Iterator[Farm]:
    """A farm whose workers are gone in the end."""
    made = Farm(url, folder)
    try:
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()
        made.database.close()
