"""Real ``limner serve`` and ``limner worker`` processes on loopback, with a data folder of their own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

LIMNER = Path(sys.executable).with_name("limner")
_READY = re.compile(r"Limner is ready at (http://\S+)")
_TOKEN = re.compile(r"^\s+(limner_\S+)$", re.MULTILINE)


class LimnerProcess:
    """A ``limner`` command that goes on until it is stopped."""

    def __init__(self, arguments: Sequence[str], data: Path, environment: Mapping[str, str]) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.command = [str(LIMNER), *arguments]
        self.environment = clean_environment(data, environment)
        self._output, self._errors = data / "output.txt", data / "log.txt"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._output.open("wb") as output, self._errors.open("ab") as errors:
            return subprocess.Popen(self.command, stdout=output, stderr=errors, env=self.environment, cwd=self.data)

    @property
    def output(self) -> str:
        """What it printed on standard output since it was started last."""
        return self._output.read_text()

    @property
    def log(self) -> str:
        """What it wrote on standard error, all starts together."""
        return self._errors.read_text()

    def wait_for(self, pattern: re.Pattern[str], seconds: float = 60.0) -> str:
        """The first group of a pattern, once it stands in the output."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            if found := pattern.search(self.output):
                return found[1] if pattern.groups else found[0]
            time.sleep(0.02)
        raise AssertionError(f"{self.command} is not ready: {self.process.poll()}\n{self.output}\n{self.log}")

    def again(self) -> None:
        """Start it once more, after it has ended."""
        assert self.process.poll() is not None
        self.process = self._start()

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        self.process.kill()
        self.process.wait(30)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30.0) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)


class ServerProcess(LimnerProcess):
    """A ``limner serve``."""

    @property
    def url(self) -> str:
        """Its address, once it answers."""
        url = self.wait_for(_READY)
        httpx.get(f"{url}/healthz", timeout=30, trust_env=False).raise_for_status()
        return url

    @property
    def first_token(self) -> str:
        """The token that it printed when it was started first."""
        return self.wait_for(_TOKEN)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(data: Path, more: Mapping[str, str]) -> dict[str, str]:
    """The environment, with nothing of Limner in it but a data folder and what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIMNER_")}
    own = {"LIMNER_DATA": str(data), "LIMNER_SOURCE_NETWORKS": "127.0.0.0/8", "NO_PROXY": "127.0.0.1"}
    return {**kept, **own, **more}


@contextmanager
def serving(data: Path, *arguments: str, **environment: str) -> Iterator[ServerProcess]:
    """A server on a free port; it is killed at the end, and its log printed for tests that fail."""
    server = ServerProcess(["serve", "--port", "0", *arguments], data, environment)
    with _ended(server):
        yield server


@contextmanager
def working(data: Path, *arguments: str, **environment: str) -> Iterator[LimnerProcess]:
    """A worker."""
    worker = LimnerProcess(["worker", *arguments], data, environment)
    with _ended(worker):
        yield worker


@contextmanager
def _ended(process: LimnerProcess) -> Iterator[None]:
    try:
        yield
    finally:
        if process.process.poll() is None:
            process.kill()
        sys.stderr.write(process.log)  # shown by pytest where the test fails
