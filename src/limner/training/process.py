"""A run in a process of its own: ``python -m limner.training.process RUN_FOLDER``.

Everything that it needs stands in the folder and in ``job.json`` there. SIGTERM makes it write a checkpoint and
end; started again it goes on from there. It ends with 0 when it is finished, with 75 (``EX_TEMPFAIL``: try
again) when it was stopped, and with 1 when it cannot go on; ``error.json`` says why. A second process for the
same folder waits until the first has ended. With ``--parent PID`` it also stops when that process has gone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.core.errors import BundleError, DatasetError, LimnerError
from limner.models.filelock import locked
from limner.training.config import RunConfig, read_config, render_config, settled
from limner.training.fitting.folder import RunFolder

if TYPE_CHECKING:
    from limner.training.datasets.dataset import Dataset
    from limner.training.fitting.fit import FitTask

#: Exit statuses.
FINISHED, FAILED, STOPPED = 0, 1, os.EX_TEMPFAIL if hasattr(os, "EX_TEMPFAIL") else 75


@dataclass(frozen=True, slots=True)
class RunJob:
    """Where a run finds what it learns from; written as ``job.json``."""

    #: Folder of the dataset store.
    datasets: str
    #: Folder of the bundle that it begins with, or a name of torchvision's weights; empty for none.
    base: str = ""

    def write(self, folder: RunFolder) -> None:
        """Put it into the run's folder."""
        (folder.path / "job.json").write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: RunFolder) -> RunJob:
        """As it was written."""
        return cls(**json.loads((folder.path / "job.json").read_text(encoding="utf-8")))


class Stopping:
    """Whether it is time to stop: a signal has come, or the process that wants the run has gone."""

    def __init__(self, parent: int | None = None) -> None:
        self._parent = parent
        self._signalled = False

    def listen(self) -> None:
        """Take SIGTERM, which would otherwise end us at once. Lightning adds itself to a handler that is there."""
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, *_: object) -> None:
        self._signalled = True

    def __call__(self) -> bool:
        """Whether it is."""
        return self._signalled or (self._parent is not None and os.getppid() != self._parent)


def run(folder: RunFolder, stopping: Callable[[], bool] = lambda: False) -> int:
    """Carry a run out, from its last checkpoint if there is one; the exit status. Raises `LimnerError`."""
    from limner.training.finish import finish
    from limner.training.fitting.fit import fit

    config = read_config(folder.config)
    task, dataset = prepared(folder, config)
    task.stopping = stopping
    _write(folder.config, render_config(task.config))
    if stopping():
        return STOPPED
    result = fit(task, resume=True)
    if result.status == "stopped":
        return STOPPED
    finish(task, result, dataset)
    shutil.rmtree(folder.cache, ignore_errors=True)
    return FINISHED


def prepared(folder: RunFolder, asked: RunConfig) -> tuple[FitTask, Dataset]:
    """What is to be fitted to what, and the dataset; what was not asked for is as its architecture has it."""
    from limner.training.architectures.protocol import ARCHITECTURES
    from limner.training.augment.presets import augment_by_name
    from limner.training.datasets.store import DatasetStore
    from limner.training.fitting.fit import make_task

    job = RunJob.read(folder)
    dataset = DatasetStore(Path(job.datasets)).get(asked.dataset)
    if asked.dataset_sha256 and asked.dataset_sha256 != dataset.sha256:
        raise DatasetError(f"The dataset {dataset.ref} is no longer the one that the run was made for.")
    architecture = ARCHITECTURES.get(asked.architecture)
    config = settled(asked, architecture.defaults)
    base = _weights(job.base) if job.base else None
    return make_task(folder, dataset, config, architecture, augment=augment_by_name(config.augment), base=base), dataset


def _write(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _weights(base: str) -> dict[str, Any]:
    from safetensors.torch import load_file

    from limner.models.bundle_files import TRAINING
    from limner.training.architectures.offered import OFFERED, offered_weights

    if base in OFFERED:
        return offered_weights(base)
    path = Path(base) / TRAINING
    if not path.is_file():
        raise BundleError(
            f"The model in {path.parent.name} has no weights to go on from.",
            hint="Only models that were trained by Limner can be trained further.",
        )
    return load_file(path)


def main() -> int:
    """What ``python -m`` calls."""
    arguments = argparse.ArgumentParser(prog="limner.training.process")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--parent", type=int)
    given = arguments.parse_args()
    folder = RunFolder(given.folder)
    # Lightning starts this file again for each further GPU: those belong to the first.
    first = "LOCAL_RANK" not in os.environ
    stopping = Stopping(given.parent if first else None)
    stopping.listen()
    alone: AbstractContextManager[None] = locked(folder.path / "run.lock") if first else nullcontext()
    with alone:
        return _told(folder, stopping)


def _told(folder: RunFolder, stopping: Stopping) -> int:
    """Run, and put down why it cannot go on."""
    folder.error.unlink(missing_ok=True)
    try:
        return run(folder, stopping)
    except LimnerError as problem:
        told = {"code": problem.code, "message": str(problem)}
    except Exception as problem:  # noqa: BLE001 - whoever started us reads it in the file
        traceback.print_exc()
        told = {"code": "unexpected", "message": f"Unexpected {type(problem).__name__}: {problem}"}
    _write(folder.error, json.dumps(told) + "\n")
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
