"""How long a run would take, and how much memory: measured by a few of its batches, in a process of its own.

``python -m limner.training.measure RUN_FOLDER`` prints one JSON object. The weights learn nothing that is kept.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from limner.core.errors import LimnerError
from limner.training.config import read_config
from limner.training.data.samples import collate
from limner.training.fitting.batches import Batches
from limner.training.fitting.fit import FitTask
from limner.training.fitting.folder import RunFolder
from limner.training.fitting.validation import answering
from limner.training.process import prepared

#: Batches that are learnt from; the first is slower and does not count.
BATCHES = 3
#: Pages that are asked about.
_ASKED = 2


def measure(folder: RunFolder) -> dict[str, Any]:
    """Seconds and bytes, as JSON values; raises `LimnerError`."""
    task, _ = prepared(folder, read_config(folder.config))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = cast("nn.Module", task.learner).to(device).train()
    reading, learning = _batches(task, network, device)
    asking = _page(task, network, device)
    epochs = None if task.length.batches is None else task.length.batches // task.per_epoch
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "parameters": sum(each.numel() for each in network.parameters()),
        "batch_seconds": round(max(learning, reading / max(1, task.config.loaders)), 4),
        "page_seconds": round(asking, 4),
        "batches": task.length.batches,
        "epochs": epochs,
        "pages": {"train": len(task.train), "validation": 0 if task.val is None else len(task.val)},
        "seconds": _total(task, max(learning, reading / max(1, task.config.loaders)), asking),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "gpu_memory": torch.cuda.max_memory_allocated() if device.type == "cuda" else None,
    }


def _batches(task: FitTask, network: nn.Module, device: torch.device) -> tuple[float, float]:
    """Median seconds of reading a batch, and of learning from it."""
    optimiser = torch.optim.AdamW([each for each in network.parameters() if each.requires_grad], lr=1e-6)
    reading, learning = [], []
    config = task.config
    for keys in Batches(pages=len(task.train), size=config.batch_size, total=BATCHES, seed=config.seed):
        began = time.perf_counter()
        images, targets = collate([task.train[key] for key in keys])
        reading.append(time.perf_counter() - began)
        learning.append(_timed(lambda: _step(task, optimiser, images, targets, device), device))  # noqa: B023 - at once
    return statistics.median(reading[1:]), statistics.median(learning[1:])


def _step(task: FitTask, optimiser: torch.optim.Optimizer, images: Any, targets: Any, device: torch.device) -> None:  # noqa: ANN401
    mixed = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}.get(task.config.precision)
    with torch.autocast(device.type, dtype=mixed, enabled=mixed is not None):
        parts = task.learner.losses([each.to(device) for each in images], [each.to(device) for each in targets])
        loss = torch.stack(list(parts.values())).sum()
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch has no types there
    optimiser.step()


def _page(task: FitTask, network: nn.Module, device: torch.device) -> float:
    """Seconds of asking about a page of validation."""
    if task.val is None:
        return 0.0
    numbers = range(min(_ASKED, len(task.val)))
    images = [task.val.plain(number)[0].to(device).float() / 255 for number in numbers]
    with answering(network) as learner:
        return _timed(lambda: learner.predict(images, 0.3), device) / len(images)


def _timed(act: Callable[[], object], device: torch.device) -> float:
    began = time.perf_counter()
    act()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _total(task: FitTask, batch: float, page: float) -> float:
    """Seconds of the whole run: batches, or its time where that ends it first, and validation after each epoch."""
    validation = (0 if task.val is None else len(task.val)) * page
    limits = [each for each in (task.length.seconds,) if each is not None]
    if task.length.batches is not None:
        limits.append(task.length.batches * batch)
    learning = min(limits)
    epochs = learning / max(batch * task.per_epoch, 1e-9)
    return round(learning + (max(1.0, epochs) + 1) * validation, 1)


def main() -> int:
    """What ``python -m`` calls: exit status 0, or 1 with ``code`` and ``message`` of an error."""
    logging.disable(logging.WARNING)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed must not come between
    try:
        answers.write(json.dumps(measure(RunFolder(Path(sys.argv[1])))) + "\n")
    except LimnerError as error:
        answers.write(json.dumps({"code": error.code, "message": str(error)}) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
