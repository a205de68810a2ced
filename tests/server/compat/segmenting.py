"""A small segmentation model: one of two classes with a round mask, whatever the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.models.networks import yolov8_bundle


def discs_bundle(folder: Path) -> Path:
    """Two discs in the middle of the left and right half of the image: ``cat`` (0.9) and ``dog`` (0.6)."""
    ys, xs = np.mgrid[:16, :16]
    prototypes = [np.where((xs - cx) ** 2 + (ys - 7.5) ** 2 < 9, 20.0, -20.0) for cx in (3.5, 11.5)]
    rows = [[16, 32, 24, 24, 0.9, 0, 1, 0], [48, 32, 24, 24, 0, 0.6, 0, 1]]
    return yolov8_bundle(folder, rows, ("cat", "dog"), prototypes=np.stack(prototypes))
