"""Whether converted networks are as fast as the programs that they come from, and what other ways of running cost.

    python benchmarks/more_importers.py

Both sides take turns on the same images with the same number of threads. Tiny YOLO: darknet's file as a bundle
against the same network in torch. EfficientDet D0: the bundle against effdet's own bench. A remote model: through
a server of the Open Inference Protocol on loopback against the same bundle here. Tesseract: through the runtime
against the program alone. Aims: bundles at least as fast (ratio >= 1), Tesseract at most a quarter slower; a remote
model, for which 5 MB go there and 8 MB come back, at most two and a half times as slow.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.models.importers.protocol import Wishes
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX, cores
from limner.operations.models import drawn_picture
from limner.operations.services import model_calls

ROUNDS = 5


def compare(name: str, theirs: Callable[[], object], ours: Callable[[], object], aim: float) -> bool:
    """Print the medians of both and their ratio; whether the aim was reached."""
    theirs(), ours()
    times = []
    for _ in range(ROUNDS):
        pair = []
        for run in (theirs, ours):
            began = time.perf_counter()
            run()
            pair.append(time.perf_counter() - began)
        times.append(pair)
    other, own = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = other / own
    print(
        f"{name:14} original {other * 1000:7.1f} ms   limner {own * 1000:7.1f} ms   ratio {ratio:.2f} (aim >= {aim:g})"
    )
    return ratio >= aim


def whole(bundle: Bundle) -> Callable[[], object]:
    """A prediction with everything around it."""
    predictor, page = ONNX.load(bundle, RuntimeOptions()), drawn_picture()
    return lambda: predictor.predict(page, (page.shape[1], page.shape[0]), Options())


def tiny_yolo(folder: Path) -> bool:
    """The bundle, with its preparation, against resize and network alone."""
    import torch

    from limner.models.architectures.tiny_yolo import TinyYolo
    from limner.models.importers.tiny_yolo import TINY_YOLO

    network = TinyYolo(1470).eval()
    path = folder / "yolo-tiny.weights"
    with path.open("wb") as file:
        np.array([0, 1, 0, 0], "<i4").tofile(file)
        for layer in [*network.convolutions(), *network.dense()]:
            for values in (layer.bias, layer.weight):
                values.detach().numpy().astype("<f4").tofile(file)

    @torch.no_grad()
    def theirs() -> object:
        image = cv2.resize(drawn_picture(), (448, 448)).transpose(2, 0, 1)[None].astype(np.float32)
        return network(torch.from_numpy(image / 127.5 - 1)).numpy()

    return compare("Tiny YOLO", theirs, whole(TINY_YOLO.convert(path, folder / "tiny", Wishes())), 1)


def efficientdet(folder: Path) -> bool:
    """The bundle against effdet's bench with resize and suppression."""
    import torch
    from effdet import create_model

    from limner.models.importers.efficientdet import EFFICIENTDET

    bench = create_model(
        "tf_efficientdet_d0", bench_task="predict", num_classes=5, pretrained=False, pretrained_backbone=False
    )
    torch.save({"state_dict": bench.eval().model.state_dict()}, folder / "d0.pth.tar")

    @torch.no_grad()
    def theirs() -> object:
        image = cv2.resize(drawn_picture(), (384, 512)).transpose(2, 0, 1)[None].astype(np.float32) / 255
        return bench(torch.nn.functional.pad(torch.from_numpy((image - 0.45) / 0.22), (0, 128)))

    bundle = EFFICIENTDET.convert(folder / "d0.pth.tar", folder / "d0", Wishes(labels=tuple("abcde")))
    return compare("EfficientDet", theirs, whole(bundle), 1)


def remote(folder: Path) -> bool:
    """Another process's network over loopback, tensors as bytes."""
    from limner.models.runtimes.remote import REMOTE
    from tests.models.networks import yolov5n_like_bundle
    from tests.models.runtimes.inference_server import inference_server

    here = read_bundle(yolov5n_like_bundle(folder / "yolo"))
    settings = Settings(data=folder, model_networks="127.0.0.0/8")
    with inference_server(here.weights_path) as server, closing(model_calls(settings)) as calls:
        fields = here.model_dump() | {"runtime": "remote", "weights": None}
        there = Bundle.model_validate(fields | {"parameters": {"url": server.url, "model": "page"}})
        predictor, page = REMOTE.load(there, RuntimeOptions(send=calls)), drawn_picture()
        return compare("remote", whole(here), lambda: predictor.predict(page, page.shape[1::-1], Options()), 0.4)


def tesseract(folder: Path) -> bool:
    """The program on the same image, from a file."""
    from limner.models.importers.text_programs import TESSERACT as IMPORTER
    from limner.models.runtimes.tesseract import TESSERACT, find_program

    page, path = drawn_picture(), folder / "page.ppm"
    cv2.imwrite(str(path), page[:, :, ::-1])
    command = [find_program(), str(path), "stdout", "-l", "eng", "tsv"]
    bundle = IMPORTER.convert(Path("tesseract/eng"), folder / "t", Wishes())
    predictor = TESSERACT.load(bundle, RuntimeOptions())
    return compare(
        "Tesseract",
        lambda: subprocess.run(command, capture_output=True, check=True),
        lambda: predictor.predict(page, page.shape[1::-1], Options()),
        0.8,
    )


def main() -> int:
    """All of them; 1 where an aim was missed."""
    warnings.simplefilter("ignore")
    print(f"{cores()} cores")
    with tempfile.TemporaryDirectory() as folder:
        reached = [each(Path(folder)) for each in (tiny_yolo, efficientdet, remote, tesseract)]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
