"""Descriptions of YOLO networks as their checkpoints hold them, and weights that are the same everywhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

Row = list[Any]


def backbone(kind: str, first: str, repeats: tuple[int, ...], last: list[Row]) -> list[Row]:
    """The way down: convolutions that halve, each followed by a layer of some kind."""
    rows: list[Row] = [[-1, 1, "Conv", [64, 3, 2]]]
    for width, count in zip((128, 256, 512, 1024), repeats, strict=True):
        rows += [[-1, 1, "Conv", [width, 3, 2]], [-1, count, kind, [width, True]]]
    return rows + last


def head(kind: str, joins: tuple[int, ...], args: list[list[Any]], last: Row, counts: int = 3) -> list[Row]:
    """The way up and down again; ``joins`` are the layers that are joined in."""
    up = [-1, 1, "nn.Upsample", ["None", 2, "nearest"]]
    rows: list[Row] = []
    for join, arg in zip(joins[:2], args[:2], strict=True):
        rows += [up, [[-1, join], 1, "Concat", [1]], [-1, counts, kind, arg]]
    for join, arg in zip(joins[2:], args[2:], strict=True):
        rows += [[-1, 1, "Conv", [arg[0] // 2, 3, 2]], [[-1, join], 1, "Concat", [1]], [-1, counts, kind, arg]]
    return [*rows, last]


SCALES = {"n": [0.33, 0.25, 1024], "s": [0.33, 0.50, 1024], "m": [0.67, 0.75, 768]}
#: The middle one is as narrow as the small one: what matters is that its layers are other ones.
SCALES_11 = {"n": [0.50, 0.25, 1024], "s": [0.50, 0.50, 1024], "m": [0.50, 0.25, 512]}
C2F = [[512], [256], [512], [1024]]
C3K2 = [[512, False], [256, False], [512, False], [1024, True]]


def yolov8(scale: str = "n", *, masks: bool = False) -> dict[str, Any]:
    """The table of YOLOv8."""
    last = [[15, 18, 21], 1, "Segment", ["nc", 32, 256]] if masks else [[15, 18, 21], 1, "Detect", ["nc"]]
    down = backbone("C2f", "Conv", (3, 6, 6, 3), [[-1, 1, "SPPF", [1024, 5]]])
    up = head("C2f", (6, 4, 12, 9), C2F, last)
    return {"nc": 4, "scales": SCALES, "scale": scale, "ch": 3, "backbone": down, "head": up}


def yolo11(scale: str = "n", *, masks: bool = False) -> dict[str, Any]:
    """The table of YOLO11."""
    last = [[16, 19, 22], 1, "Segment", ["nc", 32, 256]] if masks else [[16, 19, 22], 1, "Detect", ["nc"]]
    down = backbone("C3k2", "Conv", (2, 2, 2, 2), [[-1, 1, "SPPF", [1024, 5]], [-1, 2, "C2PSA", [1024]]])
    for row, args in zip(
        (2, 4, 6, 8), ([256, False, 0.25], [512, False, 0.25], [512, True], [1024, True]), strict=True
    ):
        down[row][3] = args
    down[5][3], down[3][3] = [512, 3, 2], [256, 3, 2]
    up = head("C3k2", (6, 4, 13, 10), C3K2, last, 2)
    return {"nc": 4, "scales": SCALES_11, "scale": scale, "ch": 3, "backbone": down, "head": up}


ANCHORS = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]


def yolov5(*, program: str = "yolov5", masks: bool = False) -> dict[str, Any]:
    """The table of YOLOv5n, in its own program or as ultralytics has it."""
    down = backbone("C3", "Conv", (3, 6, 9, 3), [[-1, 1, "SPPF", [1024, 5]]])
    down[0][3] = [64, 6, 2, 2]
    for row in down:
        row[3] = [each for each in row[3] if each is not True]
    anchors = ["nc", "anchors"] if program == "yolov5" else ["nc"]
    last = [[17, 20, 23], 1, "Segment" if masks else "Detect", [*anchors, 32, 256] if masks else anchors]
    up: list[Row] = []
    for width, join in ((512, 6), (256, 4)):
        up += [
            [-1, 1, "Conv", [width, 1, 1]],
            [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
            [[-1, join], 1, "Concat", [1]],
            [-1, 3, "C3", [width, False]],
        ]
    for width, join in ((256, 14), (512, 10)):
        up += [
            [-1, 1, "Conv", [width, 3, 2]],
            [[-1, join], 1, "Concat", [1]],
            [-1, 3, "C3", [width * 2, False]],
        ]
    table: dict[str, Any] = {"nc": 4, "ch": 3, "backbone": down, "head": [*up, last]}
    if program == "yolov5":
        return table | {"depth_multiple": 0.33, "width_multiple": 0.25, "anchors": ANCHORS}
    return table | {"scales": {"n": [0.33, 0.25, 1024]}, "scale": "n"}


def set_weights(module: torch.nn.Module) -> None:
    """Weights that follow from names and shapes alone, so that any program gets the same."""
    for name, tensor in module.state_dict().items():
        if "num_batches" in name or "dfl" in name or "anchors" in name:
            continue
        wave = np.sin(1.3 * np.arange(tensor.numel()) ** 1.1 + len(name))
        if tensor.ndim > 1:
            values = wave * math.sqrt(3 / tensor[0].numel())
        elif name.endswith("running_var"):
            values = 1 + 0.1 * wave
        elif name.endswith(("bn.weight", "norm.weight")):
            values = np.ones_like(wave)
        else:
            values = 0.1 * wave
        tensor.copy_(torch.from_numpy(values.reshape(tensor.shape).astype(np.float32)))


def drawn_image(height: int, width: int) -> torch.Tensor:
    """An input without chance: 1 × 3 × height × width."""
    values = 0.5 + 0.5 * np.sin(0.37 * np.arange(3 * height * width) ** 1.05)
    return torch.from_numpy(values.reshape(1, 3, height, width).astype(np.float32))
