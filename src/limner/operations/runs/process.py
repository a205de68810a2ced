"""The process that learns: started, followed, stopped. Whoever does so never imports torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.core.errors import TrainingError
from limner.operations.runs.progress import Log, error_of
from limner.training.fitting.folder import RunFolder
from limner.training.process import FAILED, FINISHED, STOPPED

#: Seconds between two looks at the log.
LOOK = 0.5
#: Seconds that a run has to write its checkpoint once it is told to stop.
GRACE = 60.0
#: Bytes of what a process printed that are told when it ended for no known reason.
_LAST_WORDS = 600


@dataclass(frozen=True, slots=True)
class Machine:
    """What of the machine a run may use."""

    #: Threads; 0 for one a core.
    threads: int = 0
    #: GPUs by their numbers; None to leave that open.
    gpus: Sequence[str] | None = None
    #: Files that the process keeps open as long as it lives: the locks on its places.
    files: Sequence[int] = ()

    def environment(self) -> dict[str, str]:
        """The environment of a process of ours, without our settings: secrets are among them."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LIMNER_")}
        if self.threads:
            kept |= {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}
        if self.gpus is not None:
            kept["CUDA_VISIBLE_DEVICES"] = ",".join(self.gpus)
        return kept


class TrainingProcess:
    """A run on its way, in a session of its own: what ends us does not end it before it has saved its work."""

    def __init__(self, folder: RunFolder, machine: Machine) -> None:
        self._folder = folder
        with (folder.path / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, with a folder of ours
                [*_python("limner.training.process"), str(folder.path), "--parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=machine.environment(),
                pass_fds=tuple(machine.files),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def stop(self) -> None:
        """Have it write a checkpoint and end, soon."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def end(self, grace: float = GRACE) -> int:
        """Have it write a checkpoint and end; one that does not is killed. The exit status."""
        self.stop()
        try:
            return self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode

    def follow(self, log: Log, wait: Callable[[float], object] = time.sleep) -> Iterator[list[dict[str, Any]]]:
        """What it notes, until it has ended: at each look what has come since, often nothing."""
        while self._process.poll() is None:
            yield log.read()
            wait(LOOK)
        yield log.read()

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def problem(self) -> tuple[str, str] | None:
        """Code and sentence of what went wrong; None where it finished or was stopped."""
        status = self._process.wait()
        if status in (FINISHED, STOPPED):
            return None
        told = error_of(self._folder)
        if status == FAILED and told is not None:
            return str(told["code"]), str(told["message"])
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        why = " Often that is a machine whose memory is full." if status == -signal.SIGKILL else ""
        return TrainingError.code, f"The training process {how}.{why}{_last_words(self._folder)}"


def measured(folder: RunFolder, machine: Machine, seconds: float = 300.0) -> Mapping[str, Any]:
    """How long a run would take, by a few of its batches; its folder is made. Raises `TrainingError`."""
    return _answer("limner.training.measure", [folder.path], machine, seconds)


def previewed(folder: RunFolder, picture: Path, machine: Machine, seconds: float = 300.0) -> None:
    """Draw what augmentation makes of the pages of a run, whose folder is made. Raises `TrainingError`."""
    _answer("limner.training.preview", [folder.path, picture.absolute()], machine, seconds)


def _answer(module: str, arguments: Sequence[Path], machine: Machine, seconds: float) -> Mapping[str, Any]:
    """The object that a short process of ours prints, if it does; raises `TrainingError`."""
    try:
        done = subprocess.run(  # noqa: S603 - our own module, with paths of ours
            [*_python(module), *map(str, arguments)],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=machine.environment(),
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise TrainingError(f"A few batches take longer than {seconds:g} s on this machine.") from error
    told = _object(done.stdout) or {}
    if done.returncode:
        raise TrainingError(str(told.get("message") or done.stderr.decode(errors="replace").strip()[-_LAST_WORDS:]))
    return told


def _python(module: str) -> list[str]:
    """The command for a module of ours. -P: what lies in the working folder is not imported in its stead."""
    return [sys.executable, "-P", "-m", module]


def _object(output: bytes) -> Mapping[str, Any] | None:
    with suppress(ValueError):
        found = json.loads(output)
        return found if isinstance(found, dict) else None
    return None


def _last_words(folder: RunFolder) -> str:
    path = Path(folder.path / "log.txt")
    if not path.is_file():
        return ""
    text = path.read_bytes()[-_LAST_WORDS:].decode(errors="replace").strip()
    return f" It said last: {text}" if text else ""
