"""An imported model: our bundle on ONNX Runtime against its network in torch, end to end, in one run.

Both sides get the same page as an array and give boxes or contours; both may use all cores. Families need the
parity data (``LIMNER_TEST_DATA``); the turns of the sides are mixed, and medians compared. To add a family, write a
function from an empty folder to `Sides`, and name it in `FAMILIES`.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from limner.models.importers.checkpoints import read_checkpoint
from limner.models.importers.docextractor import DOCEXTRACTOR
from limner.models.importers.docextractor import rebuilt as rebuilt_unet
from limner.models.importers.protocol import Wishes
from limner.models.importers.pytorch_yolo import PYTORCH_YOLO
from limner.models.importers.pytorch_yolo import rebuilt as rebuilt_yolo
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX

ROUNDS = 9
Pixels = npt.NDArray[np.uint8]
PARITY = Path(os.environ.get("LIMNER_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data") / "parity"


@dataclass(frozen=True)
class Sides:
    """Two ways to the same answer; each says how many things it found."""

    ours: Callable[[Pixels], int]
    torch: Callable[[Pixels], int]


def bundle_side(importer: Any, path: Path, folder: Path) -> Callable[[Pixels], int]:
    """Our side, for any importer."""
    predictor = ONNX.load(importer.convert(path, folder, Wishes()), RuntimeOptions())
    return lambda pixels: len(predictor.predict(pixels, (pixels.shape[1], pixels.shape[0]), Options(threshold=0.05)))


def yolov5n(folder: Path) -> Sides:
    """YOLOv5n: letterbox to 640 with OpenCV, the network, suppression by torchvision."""
    from torchvision.ops import batched_nms

    path = PARITY / "yolov5n" / "best.pt"
    found = read_checkpoint(path, ("models", "torch.nn.modules"))
    module = rebuilt_yolo(found["model"], "yolov5")  # type: ignore[index]

    @torch.inference_mode()
    def original(pixels: Pixels) -> int:
        height, width = pixels.shape[:2]
        scale = 640 / max(height, width)
        size = round(width * scale), round(height * scale)
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
        across, down = (-side % 32 / 2 for side in size)
        left, right, top, bottom = (round(each) for each in (across - 0.1, across + 0.1, down - 0.1, down + 0.1))
        small = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))
        tensor = torch.from_numpy(np.ascontiguousarray(small.transpose(2, 0, 1)))[None].float() / 255
        rows = module(tensor)[0]
        rows = rows[rows[:, 4] > 0.05]
        scores, labels = (rows[:, 5:] * rows[:, 4:5]).max(1)
        half = rows[:, 2:4] / 2
        boxes, keep = torch.cat((rows[:, :2] - half, rows[:, :2] + half), 1), scores > 0.05
        return len(batched_nms(boxes[keep], scores[keep], labels[keep], 0.45))

    return Sides(bundle_side(PYTORCH_YOLO, path, folder), original)


def docextractor(folder: Path) -> Sides:
    """docExtractor: Lanczos, its own mean and deviation for each image, argmax, contours of each class."""
    path = PARITY / "docextractor" / "model.pkl"
    module = rebuilt_unet(read_checkpoint(path))  # type: ignore[arg-type]

    @torch.inference_mode()
    def original(pixels: Pixels) -> int:
        height, width = pixels.shape[:2]
        ratio = (220_000 / (width * height)) ** 0.5
        small = Image.fromarray(pixels).resize((round(ratio * width), round(ratio * height)), Image.Resampling.LANCZOS)
        values = np.array(small, np.float32) / 255
        values = (values - values.mean(axis=(0, 1))) / (values.std(axis=(0, 1)) + 1e-7)
        classes = module(torch.from_numpy(values.transpose(2, 0, 1)).float()[None])[0].max(0)[1].numpy()
        count = 0
        for number, least in ((1, 0.005), (2, 0.0001)):
            mask = cv2.resize((classes == number).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
            contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            count += sum(cv2.contourArea(each) >= least * width * height for each in contours)
        return count

    return Sides(bundle_side(DOCEXTRACTOR, path, folder), original)


#: What is measured, by name.
FAMILIES: dict[str, Callable[[Path], Sides]] = {"yolov5n": yolov5n, "docextractor": docextractor}


def compare(sides: Sides, pages: list[Pixels]) -> tuple[float, float]:
    """Median seconds of a page, ours and torch's; both have to find as many things."""
    times: dict[str, list[float]] = {"ours": [], "torch": []}
    for turn in range(ROUNDS + 1):
        for page in pages:
            for name, side in (("ours", sides.ours), ("torch", sides.torch)):
                start = time.perf_counter()
                count = side(page)
                if turn:
                    times[name].append(time.perf_counter() - start)
                else:
                    print(f"   {name}: {count} found")
    return statistics.median(times["ours"]), statistics.median(times["torch"])


def main() -> int:
    if not PARITY.is_dir():
        print(f"There is no parity data in {PARITY}; set LIMNER_TEST_DATA.")
        return 0
    pages = [np.asarray(Image.open(each).convert("RGB")) for each in sorted((PARITY / "images").glob("page*.png"))]
    worst = 0.0
    for name in sys.argv[1:] or FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = compare(FAMILIES[name](Path(folder)), pages)
        print(f"{name}: ours {ours * 1e3:.0f} ms, torch {theirs * 1e3:.0f} ms a page; ratio {ours / theirs:.2f}")
        worst = max(worst, ours / theirs)
    print(f"importers: worst ratio {worst:.2f} (aim ≤ 1)")
    return int(worst > 1)


if __name__ == "__main__":
    sys.exit(main())
