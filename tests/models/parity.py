"""What other programs answered, from the shared data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.masks import mask_to_array
from limner.annotations.shapes import Mask
from limner.models.tasks.nms import box_iou
from tests.real_data import real_data


def parity_folder() -> Path:
    """The folder of the parity data; skips the test where it is not there."""
    return real_data("parity")


def expected(program: str) -> dict[str, Any]:
    """What a program is known to answer."""
    return json.loads((parity_folder() / program / "expected.json").read_text())


def image_size(name: str) -> tuple[int, int]:
    """Width and height of one of the images."""
    with Image.open(parity_folder() / "images" / name) as image:
        return image.size


def parity_pixels(name: str) -> npt.NDArray[np.uint8]:
    """One of the images, height × width × 3."""
    with Image.open(parity_folder() / "images" / name) as image:
        return np.asarray(image.convert("RGB"))


@dataclass(frozen=True)
class Found:
    """Something that was found: left, top, right, bottom in pixels of the image."""

    label: str
    box: tuple[float, float, float, float]
    score: float
    #: Height × width; None where there is no mask.
    mask: npt.NDArray[np.bool_] | None = None


def assert_same(expected: Sequence[Found], actual: Sequence[Found], threshold: float) -> None:
    """The tolerances of the project: IoU ≥ 0.99, scores within 0.002, masks' IoU ≥ 0.98.

    What lies within 0.004 of the threshold may be there or not. Both ways round, so that nothing is left over.
    """
    assert expected
    for first, second in ((expected, actual), (actual, expected)):
        for each in first:
            if each.score > threshold + 0.004:
                assert any(same(each, other) for other in second), f"{each} has no counterpart"


def same(one: Found, other: Found) -> bool:
    """Whether two findings are the same."""
    if one.label != other.label or abs(one.score - other.score) > 0.002:
        return False
    if box_iou(np.array([one.box]), np.array([other.box]))[0, 0] < 0.99:
        return False
    if one.mask is None or other.mask is None:
        return one.mask is None and other.mask is None
    return np.logical_and(one.mask, other.mask).sum() >= 0.98 * np.logical_or(one.mask, other.mask).sum()


def found(annotation: Annotation) -> Found:
    """An answer of ours."""
    mask = mask_to_array(annotation.shape) if isinstance(annotation.shape, Mask) else None
    return Found(annotation.label, annotation.shape.bounds.corners, annotation.score or 0, mask)
