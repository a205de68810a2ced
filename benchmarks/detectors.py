"""Imported detectors and segmenters: our bundle on ONNX Runtime against the network in torch, in one run.

torchvision's networks run whole, with the scaling and pasting that they have inside; Detectron2's is the rebuilt
one, with Pillow's scaling before it and masks pasted by sampling, as Detectron2 does it. torchvision's weights are
drawn at random at the real widths; Detectron2's are the narrow ones of the parity data (``LIMNER_TEST_DATA``). Both
sides may use all cores and take turns; medians are compared. Name families to measure only these, also those that
take longer: ``python benchmarks/detectors.py maskrcnn_resnet50_fpn``.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from benchmarks.importers import PARITY, Pixels, Sides
from PIL import Image
from torch.nn.functional import grid_sample
from torchvision.models import get_model

from limner.models.architectures.detectron2 import build
from limner.models.importers.checkpoints import read_checkpoint, state_dict
from limner.models.importers.detectron2 import DETECTRON2, _rules
from limner.models.importers.detectron2_config import read_config
from limner.models.importers.exporting import sample_pixels
from limner.models.importers.protocol import Importer, Wishes
from limner.models.importers.torchvision import TORCHVISION
from limner.models.importers.torchvision_names import LABELLERS, NAMES
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX

SECONDS = 12
LEAST_ROUNDS = 3
LABELS = ("a", "b", "c")
QUICK = ("detectron2", "ssdlite320_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "ssd300_vgg16")


def bundle_side(importer: Importer, path: Path, folder: Path) -> Callable[[Pixels], int]:
    """Our side, for any importer."""
    predictor = ONNX.load(importer.convert(path, folder, Wishes(labels=LABELS)), RuntimeOptions())
    return lambda pixels: len(predictor.predict(pixels, (pixels.shape[1], pixels.shape[0]), Options()))


def detectron2(folder: Path) -> Sides:
    """Mask R-CNN R50-FPN: Pillow, the network, masks pasted into the page."""
    path = PARITY / "mask_rcnn_r50_fpn" / "model_final.pth"
    config = read_config(path.with_name("config.yaml"))
    network = build(state_dict(read_checkpoint(path)["model"]), _rules(config))  # type: ignore[index]
    mean = torch.tensor(config.mean)[:, None, None]

    @torch.inference_mode()
    def original(pixels: Pixels) -> int:
        height, width = pixels.shape[:2]
        scale = config.shorter_side / min(height, width)
        scale = min(scale, config.longer_side / (max(height, width) * scale) * scale)
        size = int(width * scale + 0.5), int(height * scale + 0.5)
        small = np.asarray(Image.fromarray(pixels[..., ::-1].copy()).resize(size, Image.Resampling.BILINEAR))
        boxes, scores, _, masks = network((torch.from_numpy(small.copy()).permute(2, 0, 1).float() - mean)[None])
        boxes = boxes * torch.tensor([width / size[0], height / size[1]] * 2)
        for box, mask in zip(boxes, masks, strict=True):
            pasted(box, mask, width, height)
        return len(scores)

    return Sides(bundle_side(DETECTRON2, path, folder), original)


def pasted(box: torch.Tensor, mask: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """A mask sampled at the pixels around its box, and put into the page."""
    left, top, right, bottom = box.tolist()
    first_x, first_y = max(int(left) - 1, 0), max(int(top) - 1, 0)
    last_x, last_y = min(int(right) + 2, width), min(int(bottom) + 2, height)
    xs = (torch.arange(first_x, last_x) + 0.5 - left) / (right - left) * 2 - 1
    ys = (torch.arange(first_y, last_y) + 0.5 - top) / (bottom - top) * 2 - 1
    grid = torch.stack([xs[None].expand(len(ys), -1), ys[:, None].expand(-1, len(xs))], dim=2)
    page = torch.zeros(height, width, dtype=torch.bool)
    page[first_y:last_y, first_x:last_x] = grid_sample(mask[None, None], grid[None], align_corners=False)[0, 0] >= 0.5
    return page


def of_torchvision(name: str, folder: Path) -> Sides:
    """One of torchvision's networks, as torchvision runs it."""
    torch.manual_seed(3)
    network = get_model(name, weights=None, weights_backbone=None, num_classes=4).eval()
    _calm(network)
    path = folder / "weights.pth"
    torch.save(network.state_dict(), path)
    bundle = folder / "bundle"
    bundle.mkdir()

    @torch.inference_mode()
    def original(pixels: Pixels) -> int:
        if name in LABELLERS:
            scale = 520 / min(pixels.shape[:2])
            size = int(pixels.shape[1] * scale), int(pixels.shape[0] * scale)
            small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
            tensor = torch.from_numpy(small.copy()).permute(2, 0, 1)[None].float() / 255 - 0.45
            return int(network(tensor / 0.225)["out"].softmax(1).max(1).indices.max())
        return len(network([torch.from_numpy(pixels).permute(2, 0, 1).float() / 255])[0]["scores"])

    return Sides(bundle_side(TORCHVISION, path, bundle), original)


def _calm(network: torch.nn.Module) -> None:
    """Let a network at random say things of all kinds: each layer's answers get a deviation of one on a page."""

    def settle(layer: torch.nn.Module, _: object, answer: torch.Tensor) -> torch.Tensor:
        scale = 1 / max(float(answer.std()), 1e-6) if answer.numel() > 1 else 1.0
        layer.weight.data.mul_(scale)  # type: ignore[operator, union-attr]
        return answer * scale

    kinds = (torch.nn.Conv2d, torch.nn.Linear)
    hooks = [each.register_forward_hook(settle) for each in network.modules() if isinstance(each, kinds)]
    page = torch.from_numpy(sample_pixels(400, 320)).permute(2, 0, 1).float() / 255
    with torch.inference_mode():
        network(page[None] if not hasattr(network, "transform") else [page])
    for hook in hooks:
        hook.remove()


def compare(sides: Sides, pages: list[Pixels]) -> tuple[float, float]:
    """Median seconds of a page, ours and torch's."""
    times: dict[str, list[float]] = {"ours": [], "torch": []}
    until = time.perf_counter() + SECONDS
    print("   found:", [(sides.ours(page), sides.torch(page)) for page in pages])
    while time.perf_counter() < until or len(times["ours"]) < LEAST_ROUNDS:
        for page in pages:
            for name, side in (("ours", sides.ours), ("torch", sides.torch)):
                start = time.perf_counter()
                side(page)
                times[name].append(time.perf_counter() - start)
    return statistics.median(times["ours"]), statistics.median(times["torch"])


def main() -> int:
    worst = 0.0
    for name in sys.argv[1:] or QUICK:
        if name not in ("detectron2", *NAMES):
            raise SystemExit(f"There is no {name}; known are detectron2, {', '.join(NAMES)}.")
        if name == "detectron2" and not PARITY.is_dir():
            print(f"There is no parity data in {PARITY}; set LIMNER_TEST_DATA.")
            continue
        pages = [sample_pixels(600, 800)]
        if name == "detectron2":
            pages = [np.asarray(Image.open(each).convert("RGB")) for each in sorted((PARITY / "images").glob("page*"))]
        with tempfile.TemporaryDirectory() as folder:
            sides = detectron2(Path(folder)) if name == "detectron2" else of_torchvision(name, Path(folder))
            ours, theirs = compare(sides, pages)
        print(f"{name}: ours {ours * 1e3:.0f} ms, torch {theirs * 1e3:.0f} ms a page; ratio {ours / theirs:.2f}")
        worst = max(worst, ours / theirs)
    print(f"detectors: worst ratio {worst:.2f} on {os.cpu_count()} cores (aim ≤ 1)")
    return int(worst > 1)


if __name__ == "__main__":
    sys.exit(main())
