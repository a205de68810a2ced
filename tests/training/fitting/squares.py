"""A dataset of bright and dark squares that a small network learns in seconds."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.training.config import RunConfig
from limner.training.datasets.dataset import Dataset, DatasetPage, Split
from limner.training.datasets.store import DatasetStore

SIDE = 64
LABELS = ("bright", "dark")


def squares(folder: Path, train: int = 16, val: int = 6) -> Dataset:
    """The dataset, added to a store in a folder."""
    store = DatasetStore(folder)
    splits: list[Split] = ["train"] * train + ["val"] * val
    pages = [_page(store, number, split) for number, split in enumerate(splits)]
    return store.add(Dataset(name="squares", version="", labels=LABELS, pages=tuple(pages), images=store.images))


def _page(store: DatasetStore, number: int, split: Split) -> DatasetPage:
    chance = np.random.default_rng(number)
    pixels = chance.normal(128, 5, (SIDE, SIDE, 3))
    annotations = []
    for at, (label, value) in enumerate(zip(LABELS, (250, 5), strict=True)):
        side = int(chance.integers(16, 28))
        x, y = at * SIDE // 2 + int(chance.integers(0, SIDE // 2 - side)), int(chance.integers(0, SIDE - side))
        pixels[y : y + side, x : x + side] = value
        annotations.append(Annotation(shape=Box(x, y, side, side), label=label, id=label))
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "PNG")
    name = f"p{number:02}.png"
    return DatasetPage(
        page=Page(id=name, name=name, index=number, width=SIDE, height=SIDE),
        annotations=tuple(annotations),
        document=name,
        split=split,
        image=store.keep_image(out.getvalue(), "png"),
    )


def config(**changes: object) -> RunConfig:
    """A short run."""
    known = {
        "dataset": "squares@1",
        "architecture": "lite",
        "name": "squares",
        "epochs": 4,
        "image_size": SIDE,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "loaders": 0,
        "augment": "none",
    }
    return RunConfig.model_validate(known | changes)
