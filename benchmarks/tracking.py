"""What telling MLflow of every inference costs: ``POST /v1/annotate`` without, with, and with a stopped MLflow.

Three ``limner serve``, each a process of its own on the same model, stand side by side and are loaded in
turns, as in ``annotate_api``: one that tracks nothing, one that tells a real MLflow server (on SQLite, on
the same cores: what it takes is measured apart), one whose MLflow is not there. Timings go out every ten
seconds, so each turn is longer than that. Given are the throughput and, since that is noisy, the processor time
of the server for one image, over everything from the first turn to the last.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from benchmarks.annotate_api import Load, Server, cpu_of, loaded, picture, served

from limner.core.settings import Settings
from limner.models.runtimes.onnx import cores
from limner.models.store import ModelStore
from limner.operations.models import add_model
from limner.operations.tracking.rest import RestStore
from limner.operations.tracking.store import Point
from tests import mlflow_server
from tests.limner_process import free_port
from tests.models.networks import yolov5n_like_bundle

ROUNDS = 3
WARM, SECONDS = 2.0, 12.0
AIM = 0.98


@dataclass
class Side:
    """A server, and how it did in each turn."""

    name: str
    server: Server
    loads: list[Load] = field(default_factory=list)
    before: float = 0.0

    @property
    def images(self) -> int:
        """How many it annotated."""
        return round(sum(load.throughput for load in self.loads) * SECONDS)

    @property
    def cpu(self) -> float:
        """Its processor time for one image, seconds."""
        return (cpu_of(self.server.process) - self.before) / self.images


def with_model(data: Path, bundle: Path) -> Path:
    """A data folder with the model as its default."""
    store = ModelStore(Settings(data=data).models_dir)
    store.alias("default", add_model(store, bundle).bundle.ref)
    return data


def warmed(url: str) -> None:
    """Have MLflow load what it loads at its first requests, which takes a second."""
    store = RestStore(url)
    run = store.create(store.experiment("warm"), "warm", 0, {})
    store.log(run, [Point("seconds", 1.0, 1, 1)])
    store.close()


def tree_cpu(log: Path) -> float:
    """Processor time of all processes whose working folder is that of MLflow, seconds."""
    out = 0.0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if (process / "cwd").readlink() == log:
                    out += cpu_of(int(process.name))
            except OSError:  # it has ended, or is another user's
                continue
    return out


def counted(side: Side, name: str) -> float:
    """A figure of its ``/metrics``."""
    text = httpx.get(side.server.url.replace("/v1/annotate", "/metrics"), timeout=60, trust_env=False).text
    found = re.search(rf"^{name}_total (\S+)", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def report(off: Side, others: list[Side]) -> None:
    """Print all sides, and each against that which tracks nothing."""
    for side in (off, *others):
        each = ", ".join(f"{load.throughput:.1f}" for load in side.loads)
        print(
            f"{side.name:15} {statistics.median(load.throughput for load in side.loads):6.1f} images/s ({each}); ",
            end="",
        )
        print(f"{side.cpu * 1000:.2f} ms of processor time for each")
    for side in others:
        pairs = zip(side.loads, off.loads, strict=True)
        speed = statistics.median(one.throughput / other.throughput for one, other in pairs)
        print(f"{side.name} / off: ratio: {speed:.3f} of the throughput (aim >= {AIM}), ", end="")
        print(f"{off.cpu / side.cpu:.3f} by processor time")


def main() -> None:
    """Measure and print."""
    jpeg = picture()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        (folder / "mlflow").mkdir()
        bundle = yolov5n_like_bundle(folder / "yolov5n")
        mlflow = stack.enter_context(mlflow_server.running(folder / "mlflow"))
        warmed(mlflow.url)
        sides = []
        for name, url in (("off", ""), ("MLflow", mlflow.url), ("MLflow stopped", f"http://127.0.0.1:{free_port()}")):
            data = with_model(folder / name / "data", bundle)
            sides.append(Side(name, stack.enter_context(served(data, LIMNER_MLFLOW_URL=url))))
        off, on, stopped = sides
        for side in sides:
            loaded(side.server, jpeg, WARM)
            side.before = cpu_of(side.server.process)
        while not counted(on, "limner_tracking_sent"):  # the run of the day is made once
            time.sleep(0.2)
        spent = tree_cpu(folder / "mlflow")
        for _ in range(ROUNDS):
            for side in sides:
                side.loads.append(loaded(side.server, jpeg, SECONDS))
        spent = tree_cpu(folder / "mlflow") - spent
        print(f"{cores()} cores, {ROUNDS} turns of {SECONDS:g} s for each")
        report(off, [on, stopped])
        print(f"MLflow itself took {spent / on.images * 1000:.2f} ms of processor time for each image")
        sent, lost = (counted(on, f"limner_tracking_{name}") for name in ("sent", "lost"))
        print(f"timings that it has: {sent:.0f}, lost: {lost:.0f}; ", end="")
        print(f"attempts to reach the stopped one: {counted(stopped, 'limner_tracking_failures'):.0f}")


if __name__ == "__main__":
    main()
