"""Real pages of old books, served as IIIF on loopback, annotated by the real command with a real model."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run, environment, limner  # noqa: F401 - fixtures
from tests.real_data import real_data
from tests.sources.iiif.loopback import IIIFServer

PAGES = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = sorted(real_data("layout/images").iterdir())
    folder = tmp_path / "pages"
    folder.mkdir()
    for path in images[:: len(images) // PAGES][:PAGES]:
        shutil.copy(path, folder)
    return folder


@pytest.mark.slow
def test_a_collection_is_annotated_with_the_built_in_detector(
    limner: Run,  # noqa: F811
    folder: Path,
    tmp_path: Path,
) -> None:
    with IIIFServer(folder) as server:
        formats = ("--to", "extractor,iiif,alto", "-o", "out", "--json")
        done = limner("annotate", server.manifest_url(3), "-m", "text-regions", *formats)
    (document,) = json.loads(done.stdout)["documents"]
    assert document["pages"] == {"total": PAGES, "done": PAGES, "failed": 0, "already": 0}
    assert document["labels"]["text"] > 10 * PAGES
    lines = (tmp_path / "out" / "extractor.txt").read_text().splitlines()
    assert sum(line.endswith(".jpg") for line in lines) == PAGES
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert len(manifest["items"]) == PAGES
    assert all(canvas["annotations"][0]["items"] for canvas in manifest["items"])
