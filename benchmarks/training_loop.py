"""Learning: images per second of our loop against a bare loop of torch, and how long either waits for batches.

Network, pages, batches, optimiser and processes that read are the same on both sides; they take turns. Ours also
averages the weights, clips gradients, logs, and can be stopped and taken up again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader

from limner.annotations.annotation import Annotation
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.training.architectures.protocol import ARCHITECTURES
from limner.training.augment.presets import augment_by_name
from limner.training.config import RunConfig
from limner.training.data.samples import collate
from limner.training.datasets.dataset import Dataset, DatasetPage
from limner.training.datasets.store import DatasetStore
from limner.training.fitting import fit as fitting
from limner.training.fitting.batches import Batches
from limner.training.fitting.folder import RunFolder

#: What must be reached, and what waiting may take of the time.
LEAST, WAITING = 0.95, 0.05
SIDE, PAGES = 1200, 24


@dataclass
class Timed:
    """Batches, and the seconds that were spent waiting for them; the first of them starts the processes."""

    loader: Iterable
    waited: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    #: Seconds that the learning process itself was at work, which others on the machine do not change.
    worked: float = 0.0
    batches: int = 0

    def __len__(self) -> int:
        return len(self.loader)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator:
        iterator = iter(self.loader)
        asked, begun = time.perf_counter(), 0.0
        for batch in iterator:
            now = time.perf_counter()
            if self.batches == WARM:
                self.began, self.waited, begun = now, 0.0, time.process_time()
            self.waited += now - asked
            self.batches += 1
            yield batch
            asked = self.ended = time.perf_counter()
            self.worked = time.process_time() - begun

    @property
    def seconds(self) -> float:
        """From the end of the warm batches to the end of the last."""
        return self.ended - self.began


#: Batches that do not count.
WARM = 4


def pages(folder: Path) -> Dataset:
    """Drawn pages as JPEG, eight things on each."""
    store, chance, made = DatasetStore(folder), np.random.default_rng(0), []
    for number in range(PAGES):
        pixels = np.asarray(
            Image.fromarray(chance.integers(120, 220, (60, 45, 3), np.uint8)).resize((SIDE * 3 // 4, SIDE))
        )
        pixels, things = pixels.copy(), []
        for _ in range(8):
            x, y, side = (
                int(each) for each in (chance.integers(0, 700), chance.integers(0, 1000), chance.integers(40, 180))
            )
            pixels[y : y + side, x : x + side] = chance.integers(0, 90, 3)
            box = Box(x, y, min(side, SIDE * 3 // 4 - x), min(side, SIDE - y))
            things.append(Annotation(shape=box, label="thing"))
        file = folder / "page.jpg"
        Image.fromarray(pixels).save(file, quality=90)
        name = f"p{number}"
        made.append(
            DatasetPage(
                page=Page(id=name, name=name, index=number, width=SIDE * 3 // 4, height=SIDE),
                annotations=tuple(things),
                document=name,
                split="train",
                image=store.keep_image(file.read_bytes(), "jpg"),
            )
        )
    return store.add(Dataset(name="drawn", version="", labels=("thing",), pages=tuple(made), images=store.images))


def task_of(folder: Path, dataset: Dataset, config: RunConfig) -> fitting.FitTask:
    architecture = ARCHITECTURES.get(config.architecture)
    augment = augment_by_name(config.augment)
    return fitting.make_task(RunFolder(folder), dataset, config, architecture, augment=augment)


def bare(folder: Path, dataset: Dataset, config: RunConfig, total: int) -> Timed:
    """The shortest loop."""
    task = task_of(folder, dataset, config)
    batches = Batches(pages=len(task.train), size=config.batch_size, total=total, seed=config.seed)
    loader = DataLoader(
        task.train,
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=config.loaders,
        multiprocessing_context="forkserver" if config.loaders else None,
    )
    timed, network = Timed(loader), task.learner.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate)
    for images, targets in timed:
        loss = torch.stack(list(network.losses(images, targets).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return timed


def ours(folder: Path, dataset: Dataset, config: RunConfig) -> Timed:
    """The loop of `limner.training.fitting`."""
    task = task_of(folder, dataset, config)
    held: list[Timed] = []

    class Watched(fitting.Fitting):
        def train_dataloader(self):
            held.append(Timed(super().train_dataloader()))
            return held[0]

    fitting._run(Watched(task))
    return held[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="lite")
    parser.add_argument("--image-size", type=int, default=320)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--loaders", type=int, default=1)
    wanted = parser.parse_args()
    # One core for each process that reads.
    torch.set_num_threads(max(1, torch.get_num_threads() - wanted.loaders))
    with tempfile.TemporaryDirectory() as folder:
        dataset = pages(Path(folder))
        config = RunConfig(
            dataset=dataset.ref,
            architecture=wanted.architecture,
            name="drawn",
            epochs=wanted.epochs,
            image_size=wanted.image_size,
            batch_size=wanted.batch_size,
            loaders=wanted.loaders,
        )
        total = wanted.epochs * -(-PAGES // wanted.batch_size)
        report(Path(folder), dataset, config, total, wanted.rounds)


def report(folder: Path, dataset: Dataset, config: RunConfig, total: int, rounds: int) -> None:
    sides: dict[str, list[Timed]] = {"bare": [], "ours": []}
    for at in range(rounds):
        sides["bare"].append(bare(folder / f"bare{at}", dataset, config, total))
        sides["ours"].append(ours(folder / f"ours{at}", dataset, config))
    speeds, works = {}, {}
    for name, runs in sides.items():
        speeds[name] = max((each.batches - WARM) * config.batch_size / each.seconds for each in runs)
        share = min(each.waited / each.seconds for each in runs)
        works[name] = min(each.worked / (each.batches - WARM) for each in runs)
        told = f"{speeds[name]:.2f} images/s, {1000 * works[name]:.1f} ms of work a batch"
        print(f"{name}: {told}, {100 * share:.1f} % of the time waiting for batches")
    ratio = speeds["ours"] / speeds["bare"]
    print(f"ratio {ratio:.3f} (at least {LEAST}): {'ok' if ratio >= LEAST else 'TOO SLOW'}")
    print(f"by the work alone, whatever else runs on the machine: {works['bare'] / works['ours']:.3f}")
    starved = min(each.waited / each.seconds for each in sides["ours"]) > WAITING
    print(f"waiting at most {100 * WAITING:.0f} %: {'STARVED' if starved else 'ok'}")


if __name__ == "__main__":
    main()
