"""What bundles of YOLO networks have in common, wherever they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from limner.core.errors import BundleError


def labels_from(names: object, wished: tuple[str, ...] | None) -> list[str]:
    """The labels that are wished for, or those that a file names by number or in order; raises `BundleError`."""
    if wished is not None:
        return [*wished]
    match names:
        case dict() if set(names) == set(range(len(names))) and names:
            return [str(names[i]) for i in range(len(names))]
        case [*given] if given:
            return [str(name) for name in given]
    raise BundleError("The network has no names of labels in its metadata.", hint="Give them, in order.")


def yolo_fields(
    *,
    ultralytics: bool,
    decoder: str,
    masks: int,
    labels: Sequence[str],
    size: tuple[int, int],
    stride: object,
    dynamic: bool,
) -> dict[str, Any]:
    """Task, labels, input, decoder and thresholds of a bundle; ``size`` is width and height."""
    return {
        "task": "segment" if masks else "detect",
        "labels": labels,
        "input": {
            "resize": {
                "rule": "letterbox",
                "width": size[0],
                "height": size[1],
                "mapping": "ultralytics" if ultralytics else "yolov5",
            },
            "stride": stride,
            "dynamic": dynamic,
        },
        "decoder": {"name": decoder, "masks": masks},
        # The defaults of the two programs.
        "thresholds": {
            "score": 0.25,
            "iou": 0.7 if ultralytics else 0.45,
            "max_detections": 300 if ultralytics else 1000,
        },
    }
