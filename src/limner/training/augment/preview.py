"""A sheet of pages before and after augmentation, to look at before a long run."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.drawing.contact_sheet import SheetStyle, Thumbnail, contact_sheet
from limner.annotations.drawing.overlay import draw_overlay
from limner.annotations.masks import mask_from_array
from limner.annotations.shapes import Box, Shape
from limner.training.augment.presets import augment_by_name
from limner.training.data.pictures import PictureCache
from limner.training.data.samples import Augment, PageSamples, Plain
from limner.training.datasets.dataset import Dataset

#: Label of zones in which nothing is known.
_UNKNOWN = "ignored"
#: Longer side of the pages, pixels, and how many are shown, where nobody says.
_SIDE, _PAGES = 640, 8


def preview(
    dataset: Dataset,
    name: str,
    path: Path,
    *,
    pages: int = _PAGES,
    side: int = _SIDE,
    masks: bool = False,
    seed: int = 0,
) -> None:
    """Write the sheet of a dataset's training pages for the augmentation of some name.

    Raises `UnknownNameError` where there is none of that name.
    """
    augment = augment_by_name(name)
    with tempfile.TemporaryDirectory() as folder:
        cache = PictureCache(Path(folder), side, 0)
        samples = PageSamples(dataset, dataset.split("train") or dataset.pages, cache, masks=masks, seed=seed)
        preview_sheet(samples, augment, pages, seed).save(path)


def preview_sheet(samples: PageSamples, augment: Augment | None, most: int, seed: int) -> Image.Image:
    """The first pages: each as it is, and as it is seen in two epochs; ``seed`` is the number of the first."""
    thumbnails = []
    for number in range(min(most, len(samples))):
        name = samples.pages[number].page.name
        thumbnails.append(Thumbnail(_drawn(samples.plain(number), samples.labels), name, "as it is"))
        for epoch in (seed, seed + 1):
            seen = samples.changed(number, epoch, augment)
            thumbnails.append(Thumbnail(_drawn(seen, samples.labels), name, f"in epoch {epoch + 1}"))
    style = SheetStyle(columns=3, most=3 * max(1, most))
    return contact_sheet("Augmentation", thumbnails, style)


def _drawn(page: Plain, labels: Sequence[str]) -> Image.Image:
    """A page with what is on it and where nothing is known."""
    image, target = page
    picture = Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))
    boxes = [_box(*each) for each in target.boxes.tolist()]
    shapes: Sequence[Shape] = boxes
    if target.masks is not None:
        shapes = [mask_from_array(each.astype(np.bool_)) for each in target.masks.numpy()]
    there = [
        Annotation(shape=shape, label=labels[at]) for shape, at in zip(shapes, target.labels.tolist(), strict=True)
    ]
    there += [Annotation(shape=_box(*each), label=_UNKNOWN) for each in target.ignore.tolist()]
    return draw_overlay(picture, there, picture.size)


def _box(left: float, top: float, right: float, bottom: float) -> Box:
    return Box(left, top, max(right - left, 0.5), max(bottom - top, 0.5))
