"""What goes out as IIIF, on a real server: the official validator, and our own command line over our own manifest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from iiif_validator.validator import ValidationInfo
from PIL import Image

from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from tests.limner_process import LIMNER, ServerProcess, clean_environment, serving
from tests.models.networks import bright_boxes_bundle
from tests.operations.jobs.workplace import bright_page, image_bytes, until

#: Its tests ask for random parts and sizes: here for the same ones each time.
_VALIDATE = "import random, runpy, sys; random.seed(1); runpy.run_path(sys.argv[0])"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that asks for tokens and has a model."""
    folder = tmp_path_factory.mktemp("server")
    store = ModelStore(folder / "models")
    store.add(read_bundle(bright_boxes_bundle(tmp_path_factory.mktemp("bundles") / "bright", side=64)))
    store.alias("default", "bright")
    with serving(folder) as made:
        yield made


def _shared(server: ServerProcess, **images: bytes) -> str:
    """The key of a new document with these images."""
    with httpx.Client(base_url=server.url, headers={"X-API-Key": server.first_token}, trust_env=False) as http:
        sent = [("file", (f"{name}.png", data)) for name, data in images.items()]
        document = http.post("/v1/documents", files=sent, timeout=60).raise_for_status().json()
        return http.put(f"/v1/documents/{document['id']}/share").raise_for_status().json()["key"]


def _squares() -> bytes:
    """The image that the validator knows: ten by ten squares of known colours."""
    image = Image.new("RGB", (1000, 1000))
    for x, column in enumerate(ValidationInfo().colorInfo):
        for y, colour in enumerate(column):
            image.paste(colour, (x * 100, y * 100, x * 100 + 100, y * 100 + 100))
    return image_bytes(image)


def test_the_validator_finds_nothing_wrong(server: ServerProcess) -> None:
    key = _shared(server, squares=_squares())
    script = next(Path(sys.executable).parent.glob("iiif-validate.py"))
    where = ["-s", server.url.removeprefix("http://"), "-p", f"iiif/{key}/0/images", "-i", "0"]
    code = f"import sys; sys.argv = {[str(script), *where, '--version', '3.0', '--level', '2']!r}; {_VALIDATE}"
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"Done \((\d+) tests, 0 failures\)", done.stderr)
    assert done.stderr.count("PASS") >= 33


def test_our_own_command_line_reads_our_own_manifest(server: ServerProcess, tmp_path: Path) -> None:
    pages = {"a": image_bytes(bright_page((20, 40, 80, 100))), "b": image_bytes(bright_page((100, 200, 160, 240)))}
    key = _shared(server, **pages)
    manifest = f"{server.url}/iiif/{key}/manifest.json"
    done = subprocess.run(
        [LIMNER, "annotate", manifest, "--to", "jsonl", "-o", str(tmp_path / "out")],
        env=clean_environment(server.data, {}),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = (tmp_path / "out").rglob("annotations.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    boxes = [annotation["box"] for line in lines for annotation in line.get("annotations", ())]
    assert [[round(value) for value in box] for box in boxes] == [[20, 40, 60, 60], [100, 200, 60, 40]]
    canvases = [line["page"]["canvas"]["id"] for line in lines if "page" in line]
    assert canvases == [each["id"] for each in httpx.get(manifest, trust_env=False).json()["items"]]
    # Its requests stand in the log, and not the key that would let anybody in who reads it.
    until(lambda: f"GET /iiif/{key[:6]}…/0/images/1/" in server.log)
    assert key not in server.log
