"""The pipeline against its parts, and against doing one thing after the other.

Sixty pages come from a IIIF server on loopback that takes 80 ms to answer; four requests at a time are
allowed. Measured in one run: downloading alone, decoding and inference alone (from the cache), the pipeline,
and what the first system did: fetch an image at full size, then load the model, then infer, one by one.
The server is a process of its own.
"""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import tempfile
import time
from contextlib import aclosing
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from limner.core.settings import Settings
from limner.models.protocol import Options, Predictor, RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from limner.operations.models import add_model
from limner.operations.pipeline import Ahead, annotate_pages
from limner.operations.services import Services
from limner.sources.opening import open_documents
from limner.sources.protocol import OpenedDocument, Want
from tests.models.networks import yolov5n_like_bundle
from tests.sources.iiif.loopback import IIIFServer

PAGES, LATENCY, CONCURRENCY = 60, 0.08, 4
SIZE = (1500, 2000)


def draw_pages(folder: Path) -> None:
    """Sixty pages with something on them, 3 megapixels each."""
    rng = np.random.default_rng(7)
    base = Image.fromarray(rng.integers(150, 255, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8)).resize(SIZE)
    for number in range(PAGES):
        page = base.copy()
        page.paste((number * 4, 30, 60), (100 + number * 5, 200, 900, 1400))
        page.save(folder / f"{number:04}.jpg", quality=88)


def serve(folder: str, pipe: Connection) -> None:
    """The server's process: tell the address, and go when told to."""
    with IIIFServer(Path(folder), latency=LATENCY, embed_size=True) as server:
        pipe.send((server.manifest_url(3), [server.file_url(name) for name in server.images]))
        pipe.recv()


async def opened(manifest: str, services: Services) -> OpenedDocument:
    """The document behind the manifest."""
    async with aclosing(open_documents([manifest], services.sources)) as documents:
        async for document in documents:
            return document
    raise AssertionError("no document")


async def download(document: OpenedDocument, want: Want) -> float:
    """Seconds to fetch all pages and do nothing with them."""
    start = time.perf_counter()
    await asyncio.gather(*(handle.fetch(want) for handle in document.handles))
    return time.perf_counter() - start


async def infer(document: OpenedDocument, want: Want, predictor: Predictor) -> float:
    """Seconds to infer all pages, fetched and decoded before."""
    pictures = [(await handle.fetch(want)).decode(want) for handle in document.handles]
    start = time.perf_counter()
    for picture in pictures:
        predictor.predict(picture.pixels, (picture.width, picture.height), Options())
    return time.perf_counter() - start


async def pipeline(document: OpenedDocument, want: Want, predictor: Predictor) -> float:
    """Seconds for all of it."""
    start, done = time.perf_counter(), 0
    async with aclosing(annotate_pages(document.handles, predictor, Options(), want=want, ahead=Ahead())) as outcomes:
        async for outcome in outcomes:
            assert outcome.annotated.error is None, outcome.annotated.error
            done += 1
    assert done == PAGES
    return time.perf_counter() - start


def one_by_one(images: list[str], services: Services, name: str) -> float:
    """Seconds for fetching, then loading the model, then inferring, image by image."""
    start = time.perf_counter()
    with httpx.Client() as client:
        for url in images:
            pixels = np.asarray(Image.open(io.BytesIO(client.get(url).content)).convert("RGB"))
            predictor = ONNX.load(services.store.get(name), RuntimeOptions())
            predictor.predict(pixels, (pixels.shape[1], pixels.shape[0]), Options())
            predictor.close()
    return time.perf_counter() - start


def measure(folder: Path, manifest: str, images: list[str]) -> dict[str, float]:
    """Every figure, each with a cache of its own."""
    figures: dict[str, float] = {}

    def services(name: str) -> Services:
        return Services(
            Settings(data=folder / name, source_networks=("127.0.0.0/8",), host_concurrency=CONCURRENCY)  # type: ignore[arg-type]
        )

    bundle = yolov5n_like_bundle(folder / "bundle")
    for name in ("alone", "piped", "serial"):
        with services(name) as use:
            ref = add_model(use.store, bundle).bundle.ref
            with use.pool.use(ref) as predictor:
                want = Want(predictor.wanted_side)
                document = asyncio.run(opened(manifest, use))
                if name == "alone":
                    figures["download alone"] = asyncio.run(download(document, want))
                    figures["inference alone"] = asyncio.run(infer(document, want, predictor))
                elif name == "piped":
                    figures["pipeline"] = asyncio.run(pipeline(document, want, predictor))
            if name == "serial":
                figures["one by one"] = one_by_one(images, use, ref)
    return figures


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "pages").mkdir()
        draw_pages(folder / "pages")
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(str(folder / "pages"), theirs))
        server.start()
        try:
            figures = measure(folder, *ours.recv())
        finally:
            ours.send(None)
            server.join(10)
    for name, seconds in figures.items():
        print(f"{name:16} {seconds:6.2f} s  {PAGES / seconds:6.1f} pages/s")
    bound = max(figures["download alone"], figures["inference alone"])
    print(f"pipeline / the slower part alone: ratio: {figures['pipeline'] / bound:.2f} (aim <= 1.15)")
    print(f"one by one / pipeline: ratio: {figures['one by one'] / figures['pipeline']:.2f} (aim >= 4.00)")


if __name__ == "__main__":
    main()
