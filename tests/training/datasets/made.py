"""Small datasets, drawn here."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from limner.annotations.annotation import Annotation
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.training.datasets.dataset import Dataset, DatasetPage, Split
from limner.training.datasets.store import DatasetStore

#: Width and height of the drawn pages, pixels.
SIZE = (96, 64)


def picture(boxes: Sequence[tuple[int, int, int, int]], size: tuple[int, int] = SIZE) -> bytes:
    """A dark page with bright boxes (x, y, width, height), as PNG."""
    image = Image.new("RGB", size, (20, 20, 30))
    draw = ImageDraw.Draw(image)
    for x, y, width, height in boxes:
        draw.rectangle((x, y, x + width - 1, y + height - 1), fill=(240, 240, 240))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def page(
    store: DatasetStore,
    number: int,
    boxes: Sequence[tuple[str, int, int, int, int]],
    *,
    split: Split = "train",
    document: str = "",
) -> DatasetPage:
    """A page with labelled boxes, its image kept in the store."""
    name = f"p{number:03}.png"
    return DatasetPage(
        page=Page(id=name, name=name, index=number, width=SIZE[0], height=SIZE[1]),
        annotations=tuple(
            Annotation(shape=Box(x, y, w, h), label=label, id=f"a{at}") for at, (label, x, y, w, h) in enumerate(boxes)
        ),
        document=document or f"document {number}",
        split=split,
        image=store.keep_image(picture([each[1:] for each in boxes]), "png"),
    )


def dataset(store: DatasetStore, pages: Sequence[DatasetPage], name: str = "pages", version: str = "") -> Dataset:
    """A dataset that is not yet added."""
    labels = tuple(sorted({each.label for one in pages for each in one.annotations}))
    return Dataset(name=name, version=version, labels=labels, pages=tuple(pages), images=store.images)


def a_store(folder: Path) -> DatasetStore:
    """An empty store."""
    return DatasetStore(folder / "datasets")
