from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limner.core.settings import Settings
from limner.sources.net.downloader import Downloader
from limner.sources.net.politeness import Backoff
from limner.sources.protocol import SourceContext
from tests.real_data import real_data
from tests.sources.iiif.loopback import IIIFServer, MakeServer


@pytest.fixture(scope="session")
def manifests() -> Path:
    """The folder of real manifests; skips where it is missing."""
    return real_data("iiif-manifests")


@pytest.fixture(scope="session")
def facts(manifests: Path) -> dict[str, Any]:
    return json.loads((manifests / "facts.json").read_text())


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pages, each with a gradient that tells where a pixel comes from: red across, green down."""
    folder = tmp_path_factory.mktemp("pages")
    for name, (width, height) in {"p1": (600, 800), "p2": (900, 300), "p3": (640, 640)}.items():
        across = np.broadcast_to(np.linspace(0, 255, width)[None, :], (height, width))
        down = np.broadcast_to(np.linspace(0, 255, height)[:, None], (height, width))
        pixels = np.stack([across, down, np.full((height, width), 128.0)], axis=-1).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def serve(folder: Path) -> Iterator[MakeServer]:
    """Starts servers over the folder, with the options of `IIIFServer`."""
    running = []

    def serve(**options: Any) -> IIIFServer:
        server = IIIFServer(options.pop("folder", folder), **options).__enter__()
        running.append(server)
        return server

    yield serve
    for server in running:
        server.__exit__()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data=tmp_path / "data", source_networks="127.0.0.0/8", fetch_retries=1, fetch_timeout=20, host_concurrency=4
    )


@pytest.fixture
def context(settings: Settings) -> Iterator[SourceContext]:
    with Downloader(settings, backoff=Backoff(first=0.01, longest=0.05)) as downloader:
        yield SourceContext(settings, downloader)
