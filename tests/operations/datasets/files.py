"""Small datasets as other programs write them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from tests.training.datasets.made import SIZE, picture

#: A box on every drawn page: x, y, width, height.
BOX = (8, 16, 32, 24)


def drawn(number: int, size: tuple[int, int] = SIZE) -> bytes:
    """A page with a box, another one for each number."""
    return picture([BOX, (60 + number % 30, 2 + number // 30, 3, 5)], size)


def coco(names: Iterable[str], *, size: tuple[int, int] = SIZE, label: str = "seal", **more: object) -> str:
    """A COCO file with the box on each image; ``more`` stands in each annotation."""
    images = [{"id": n, "file_name": name, "width": size[0], "height": size[1]} for n, name in enumerate(names)]
    found = [{"id": n, "image_id": n, "category_id": 1, "bbox": [*BOX], **more} for n in range(len(images))]
    return json.dumps({"images": images, "annotations": found, "categories": [{"id": 1, "name": label}]})


def yolo_line(number: int = 0) -> str:
    """The box as a line of YOLO's."""
    x, y, w, h = (value / SIZE[at % 2] for at, value in enumerate(BOX))
    return f"{number} {x + w / 2} {y + h / 2} {w} {h}\n"


def voc(name: str, *, difficult: int = 0, size: tuple[int, int] = SIZE) -> str:
    """The box as an XML file of VOC's."""
    x, y, w, h = BOX
    edges = f"<xmin>{x + 1}</xmin><ymin>{y + 1}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax>"
    return (
        f"<annotation><filename>{name}</filename><size><width>{size[0]}</width><height>{size[1]}</height></size>"
        f"<object><name>seal</name><difficult>{difficult}</difficult><bndbox>{edges}</bndbox></object></annotation>"
    )


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """A folder with some files."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def packed(files: Mapping[str | zipfile.ZipInfo, str | bytes]) -> bytes:
    """A zip file of some files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return out.getvalue()


def noise(width: int, height: int) -> np.ndarray:
    """Pixels of which no two are alike."""
    return np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
