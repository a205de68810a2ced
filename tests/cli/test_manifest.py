"""``limner manifest check``: keys and exit codes."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.sources.iiif.loopback import IIIFServer

KEYS = {"type", "version", "canvases", "images", "skipped", "problems", "estimate_seconds"}


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (300, 400)).save(folder / f"{number}.jpg")
    return folder


def test_a_manifest_over_http_is_described_without_fetching_an_image(limner: Run, pages: Path) -> None:
    with IIIFServer(pages) as server:
        done = limner("manifest", "check", server.manifest_url(3), "--json")
        assert not server.sizes
    report = json.loads(done.stdout)
    assert set(report) >= KEYS
    assert (report["type"], report["version"], report["canvases"], report["images"]) == ("Manifest", "3", 3, 3)
    assert report["estimate_seconds"] > 0


def test_people_get_sentences(limner: Run, pages: Path) -> None:
    with IIIFServer(pages) as server:
        text = limner("manifest", "check", server.manifest_url(2)).stdout
    assert "3 canvases, 3 usable images" in text
    assert "Estimated time" in text


def test_nothing_to_annotate_is_exit_1_with_the_reason(limner: Run, tmp_path: Path) -> None:
    canvas = {"id": "https://x.example/c1", "type": "Canvas", "width": 10, "height": 10, "items": []}
    manifest = {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": "https://x.example/manifest.json",
        "type": "Manifest",
        "label": {"en": ["Empty"]},
        "items": [canvas],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    done = limner("manifest", "check", "manifest.json", "--json", code=1)
    ((canvas_id, reason),) = [(entry["canvas"], entry["reason"]) for entry in json.loads(done.stdout)["skipped"]]
    assert canvas_id == "https://x.example/c1"
    assert reason


def test_what_is_no_iiif_is_exit_2(limner: Run, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"hello": "world"}')
    assert "x.json" in limner("manifest", "check", "x.json", code=2).stderr


def test_a_private_address_is_refused_unless_allowed(limner: Run, pages: Path) -> None:
    with IIIFServer(pages) as server:
        done = limner("manifest", "check", server.manifest_url(3), code=1, LIMNER_SOURCE_NETWORKS="")
    assert "LIMNER_SOURCE_NETWORKS" in done.stderr
