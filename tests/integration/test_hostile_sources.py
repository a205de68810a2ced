"""Documents from servers that misbehave: each fault ends in a named page error, and the rest is done."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from limner.annotations.formats.protocol import WRITERS
from limner.core.settings import Settings
from limner.operations.annotate import AnnotateRequest, DocumentSummary, annotate
from limner.operations.models import add_model
from limner.operations.outputs import Target
from limner.operations.pipeline import PageOutcome
from limner.operations.services import Services
from limner.sources.net.downloader import Downloader
from limner.sources.net.politeness import Backoff
from tests.models.networks import bright_boxes_bundle
from tests.sources.hostile_server import HostileServer, Reply


class Quiet:
    """A reporter that keeps the outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[PageOutcome] = []

    def document_started(self, summary: DocumentSummary) -> None: ...

    def page_finished(self, outcome: PageOutcome) -> None:
        self.outcomes.append(outcome)

    def document_finished(self, summary: DocumentSummary) -> None: ...


def jpeg(width: int = 400, height: int = 300) -> bytes:
    page = Image.new("RGB", (width, height), (10, 10, 10))
    page.paste((250, 250, 250), (100, 50, 300, 150))
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def png_bomb(width: int = 40_000, height: int = 40_000) -> bytes:
    """A PNG of 1.6 gigapixels in a few hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = Settings(
        data=tmp_path / "data", source_networks="127.0.0.1/32", host_concurrency=4, fetch_timeout=1.5, fetch_retries=2
    )
    with Services(settings) as services:
        services.downloader = Downloader(settings, backoff=Backoff(first=0.01, longest=0.05))
        add_model(services.store, bright_boxes_bundle(tmp_path / "bundle"))
        yield services


def manifest(server: HostileServer, images: dict[str, dict]) -> str:
    """A manifest of version 2 with one canvas for each image; gives its address."""
    canvases = [
        {
            "@id": server.url(f"/canvas/{name}"),
            "@type": "sc:Canvas",
            "label": name,
            "width": 400,
            "height": 300,
            "images": [{"resource": {"@id": server.url(f"/{name}.jpg"), "@type": "dctypes:Image", **extra}}],
        }
        for name, extra in images.items()
    ]
    document = {
        "@context": "http://iiif.io/api/presentation/2/context.json",
        "@id": server.url("/manifest.json"),
        "@type": "sc:Manifest",
        "label": "Trouble",
        "sequences": [{"canvases": canvases}],
    }
    return server.serve("/manifest.json", Reply(json.dumps(document).encode(), media_type="application/json"))


async def run(source: str, services: Services, out: Path) -> tuple[DocumentSummary, dict[str, str | None]]:
    reporter = Quiet()
    target = Target((WRITERS.get("extractor"), WRITERS.get("jsonl")), folder=out)
    (model,) = [bundle.ref for bundle in services.store.list() if bundle.folder is not None]
    summary = await annotate(AnnotateRequest(sources=(source,), target=target, model=model), services, reporter)
    errors = {
        outcome.annotated.page.label or outcome.annotated.page.name: outcome.annotated.error
        for outcome in reporter.outcomes
    }
    (document,) = summary.documents
    return document, errors


async def test_every_fault_is_named_and_the_rest_is_done(
    server: HostileServer, services: Services, tmp_path: Path
) -> None:
    good = jpeg()
    private = {"Location": "http://127.0.0.2/secret.jpg"}
    server.serve("/fine.jpg", Reply(good))
    server.serve("/busy.jpg", Reply(b"", 429, {"Retry-After": "1"}), Reply(good))
    server.serve("/down.jpg", Reply(b"", 503), Reply(b"", 503), Reply(good))
    server.serve("/blocked.jpg", Reply(b"<!doctype html><title>Are you a robot?</title>", media_type="text/html"))
    server.serve("/truncated.jpg", Reply(good[: len(good) // 2]))
    server.serve("/slow.jpg", Reply(good, drip=(50, 0.5)))
    server.serve("/private.jpg", Reply(b"", 302, private))
    server.serve("/bomb.jpg", Reply(png_bomb(), media_type="image/png"))
    server.serve("/lying.jpg", Reply(jpeg(400, 300)))
    server.serve("/gone.jpg", Reply(b"", 404))
    server.serve("/last.jpg", Reply(good))
    names = ["fine", "busy", "down", "blocked", "truncated", "slow", "private", "bomb", "lying", "gone", "last"]
    images = {name: {} for name in names} | {"lying": {"width": 4000, "height": 9000}}
    images["last"] = {}
    document, errors = await run(manifest(server, images), services, tmp_path / "out")

    fine = {name for name, error in errors.items() if error is None}
    assert fine == {"fine", "busy", "down", "last"}
    assert document.done == 4
    said = {
        "blocked": "robot",
        "truncated": "",
        "slow": "1.5",
        "private": "127.0.0.2",
        "bomb": "40000",
        "lying": "4000",
        "gone": "404",
    }
    for name, words in said.items():
        assert words in (errors[name] or "").replace(",", "").replace("\u202f", ""), (name, errors[name])
    lines = (tmp_path / "out" / "extractor.txt").read_text().splitlines()
    numbered = [line.split()[0] for line in lines if line.endswith(".jpg")]
    assert numbered == [str(n) for n in range(1, 12)], "failed pages keep their line"


async def test_a_zip_that_wants_to_escape_gives_its_other_pages(services: Services, tmp_path: Path) -> None:
    path = tmp_path / "pages.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fine.jpg", jpeg())
        archive.writestr("../../escaped.jpg", jpeg())
        archive.writestr("/absolute.jpg", jpeg())
    document, errors = await run(str(path), services, tmp_path / "out")
    assert document.done == 1
    assert errors["fine.jpg"] is None
    refused = [*document.failed, *document.skipped]
    assert len(refused) == 2
    assert not list(tmp_path.parent.glob("escaped.jpg"))
    assert not Path("/absolute.jpg").exists()  # noqa: ASYNC240


async def test_a_host_that_blocks_everything_ends_soon_and_says_so(
    server: HostileServer, services: Services, tmp_path: Path
) -> None:
    html = Reply(b"<html><title>Access denied</title></html>", 403, media_type="text/html")
    for n in range(5):
        server.serve(f"/p{n}.jpg", html)
    document, errors = await run(manifest(server, {f"p{n}": {} for n in range(5)}), services, tmp_path / "out")
    assert document.done == 0
    assert all("403" in (error or "") for error in errors.values()), errors
