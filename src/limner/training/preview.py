"""What augmentation makes of the pages of a dataset, as one sheet of pictures.

``python -m limner.training.preview RUN_FOLDER FILE`` draws it; the run is not begun.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.drawing.contact_sheet import Thumbnail, contact_sheet
from limner.annotations.drawing.overlay import draw_overlay
from limner.annotations.shapes import Box
from limner.core.errors import LimnerError
from limner.training.config import read_config
from limner.training.data.samples import PageSamples
from limner.training.fitting.folder import RunFolder
from limner.training.process import prepared

#: Pages on the sheet, and how often each is drawn: once as it is.
PAGES, TIMES = 6, 4


def preview(samples: PageSamples, augment: str) -> Image.Image:
    """The sheet: a page as it is, then as it is learnt from in some epochs."""
    thumbnails = []
    for number in range(min(PAGES, len(samples))):
        name = samples.pages[number].page.name
        thumbnails.append(_thumbnail(samples, number, None, name, "as it is"))
        thumbnails += [
            _thumbnail(samples, number, epoch, name, f"{augment}, epoch {epoch + 1}") for epoch in range(TIMES - 1)
        ]
    return contact_sheet("What is learnt from", thumbnails)


def _thumbnail(samples: PageSamples, number: int, epoch: int | None, name: str, how: str) -> Thumbnail:
    if epoch is None:
        tensor, target = samples.plain(number)
        pixels = tensor.permute(1, 2, 0).numpy()
    else:
        tensor, target = samples[number, epoch]
        pixels = (tensor.clamp(0, 1) * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)
    page = Image.fromarray(np.ascontiguousarray(pixels))
    there = [
        Annotation(shape=Box(left, top, max(right - left, 0.5), max(bottom - top, 0.5)), label=samples.labels[int(at)])
        for (left, top, right, bottom), at in zip(target.boxes.tolist(), target.labels, strict=True)
    ]
    return Thumbnail(draw_overlay(page, there, page.size), name, how)


def main() -> int:
    """What ``python -m`` calls: exit status 0, or 1 with ``code`` and ``message`` of an error on standard output."""
    folder, path = RunFolder(Path(sys.argv[1])), Path(sys.argv[2])
    try:
        task, _ = prepared(folder, read_config(folder.config))
        preview(task.train, task.config.augment).save(path)
    except LimnerError as error:
        sys.stdout.write(json.dumps({"code": error.code, "message": str(error)}) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
