"""A run in a process of its own: ``python -m limner.training.process RUN_FOLDER``.

Everything that it needs stands in the folder and in ``job.json`` there. SIGTERM makes it write a checkpoint and
end; started again it goes on from there. It ends with 0 when it is finished, with 75 (``EX_TEMPFAIL``: try
again) when it was stopped, and with 1 when it cannot go on; ``error.json`` says why.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from limner.core.errors import BundleError, LimnerError
from limner.training.config import read_config
from limner.training.fitting.folder import RunFolder

#: Exit statuses.
FINISHED, FAILED, STOPPED = 0, 1, os.EX_TEMPFAIL if hasattr(os, "EX_TEMPFAIL") else 75


@dataclass(frozen=True, slots=True)
class RunJob:
    """Where a run finds what it learns from; written as ``job.json``."""

    #: Folder of the dataset store.
    datasets: str
    #: Folder of the bundle that it begins with; empty for none.
    base: str = ""

    def write(self, folder: RunFolder) -> None:
        """Put it into the run's folder."""
        (folder.path / "job.json").write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: RunFolder) -> RunJob:
        """As it was written."""
        return cls(**json.loads((folder.path / "job.json").read_text(encoding="utf-8")))


def run(folder: RunFolder, tell: Callable[[Mapping[str, Any]], None] | None = None) -> int:
    """Carry a run out, from its last checkpoint if there is one; the exit status. Raises `LimnerError`."""
    from limner.training.architectures.protocol import ARCHITECTURES
    from limner.training.augment.presets import augment_by_name
    from limner.training.datasets.store import DatasetStore
    from limner.training.finish import finish
    from limner.training.fitting.fit import fit, make_task

    config, job = read_config(folder.config), RunJob.read(folder)
    dataset = DatasetStore(Path(job.datasets)).get(config.dataset)
    architecture = ARCHITECTURES.get(config.architecture)
    base = _weights(Path(job.base)) if job.base else None
    task = make_task(folder, dataset, config, architecture, augment=augment_by_name(config.augment), base=base)
    if tell is not None:
        task.tell = tell
    result = fit(task, resume=True)
    if result.status == "stopped":
        return STOPPED
    finish(task, result, dataset)
    return FINISHED


def _weights(bundle: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    from limner.models.bundle_files import TRAINING

    path = bundle / TRAINING
    if not path.is_file():
        raise BundleError(
            f"The model in {bundle.name} has no weights to go on from.",
            hint="Only models that were trained by Limner can be trained further.",
        )
    return load_file(path)


def main() -> int:
    """What ``python -m`` calls."""
    folder = RunFolder(Path(sys.argv[1]))
    # Lightning adds itself to a handler that is there, and without one the signal would end us at once.
    signal.signal(signal.SIGTERM, lambda *_: None)
    error = folder.path / "error.json"
    error.unlink(missing_ok=True)
    try:
        return run(folder)
    except LimnerError as problem:
        error.write_text(json.dumps({"code": problem.code, "message": str(problem)}) + "\n", encoding="utf-8")
    except Exception as problem:  # noqa: BLE001 - whoever started us reads it in the file
        traceback.print_exc()
        text = f"Unexpected {type(problem).__name__}: {problem}"
        error.write_text(json.dumps({"code": "unexpected", "message": text}) + "\n", encoding="utf-8")
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
