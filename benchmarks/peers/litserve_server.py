"""LitServe, serving a model of ours: ``litserve_server.py DATA PORT WORKERS THREADS``.

Its workers are processes of their own that import this file, so the class stands at its top.
"""

from __future__ import annotations

import sys
from pathlib import Path

import litserve

from limner.annotations.annotation import Annotation
from limner.annotations.serial import annotation_to_plain
from limner.core.settings import Settings
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from limner.models.store import ModelStore
from limner.sources.decode import decode_frame
from limner.sources.protocol import Picture, Want


class Api(litserve.LitAPI):
    """The default model, with our decoding and our reading of outputs."""

    def __init__(self, data: str, threads: int) -> None:
        super().__init__()
        self.data, self.threads = data, threads

    def setup(self, device: object) -> None:
        """Load the model."""
        self.settings = Settings(data=Path(self.data))
        bundle = ModelStore(self.settings.models_dir).get("default")
        self.predictor = ONNX.load(bundle, RuntimeOptions(threads=self.threads))

    def decode_request(self, request) -> Picture:  # LitServe would read an annotation as a model of the body
        """The image."""
        return decode_frame(request["file"].file, 0, Want(self.predictor.wanted_side), self.settings, name="page.jpg")

    def predict(self, image: Picture) -> list[Annotation]:
        """What is on it."""
        return self.predictor.predict(image.pixels, (image.width, image.height), Options())

    def encode_response(self, found: list[Annotation]) -> dict:
        """As JSON."""
        return {"annotations": [annotation_to_plain(each) for each in found]}


if __name__ == "__main__":
    data, port, workers, threads = sys.argv[1:]
    server = litserve.LitServer(
        Api(data, int(threads)), accelerator="cpu", workers_per_device=int(workers), fast_queue=True
    )
    server.run(host="127.0.0.1", port=int(port), generate_client_file=False, log_level="warning")
