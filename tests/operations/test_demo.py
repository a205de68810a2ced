"""The demo: samples over HTTP, every format, a page to look at, nothing left behind."""

import json
import re
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from limner.annotations.formats.protocol import WRITERS
from limner.operations.annotate import DocumentSummary, Summary
from limner.operations.demo import index_page, serve_samples
from tests.cli.conftest import Run, environment, limner  # noqa: F401 - fixtures


def test_the_samples_are_served_as_a_manifest_with_images() -> None:
    with serve_samples() as address:
        with urllib.request.urlopen(address) as answer:
            manifest = json.load(answer)
        body = manifest["items"][0]["items"][0]["items"][0]["body"]
        with urllib.request.urlopen(body["id"]) as answer:
            assert answer.headers["Content-Type"] == "image/jpeg"
            assert Image.open(answer).size == (body["width"], body["height"])
    assert len(manifest["items"]) >= 6


def test_the_page_links_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "a&b.png").touch()
    files = [tmp_path / "coco.json", tmp_path / "voc" / "a.xml", tmp_path / "voc" / "b.xml"]
    document = DocumentSummary(id="d", title="<b>Title</b>", total=2, done=2, files=files)
    page = index_page(Summary("m@1", [document]), tmp_path)
    assert "&lt;b&gt;Title&lt;/b&gt;" in page
    assert set(re.findall(r'href="([^"]+)"', page)) == {
        "coco.json",
        "voc/",
        "overlays/",
        "crops/",
        "overlays/a&amp;b.png",
    }


@pytest.mark.slow
def test_the_command_leaves_every_format_and_nothing_else(limner: Run, tmp_path: Path) -> None:  # noqa: F811
    limner("demo", "--output", "out", "--model", "text-regions")
    out = tmp_path / "out"
    suffixes = {path.suffix for path in out.rglob("*") if path.is_file()}
    assert suffixes >= {".txt", ".json", ".jsonl", ".csv", ".xml", ".png", ".html"}
    for name in ("alto", "page", "voc", "labelme", "w3c", "yolo", "yolo-seg", "overlays", "crops"):
        assert any((out / name).rglob("*.*")), name
    assert len(list(WRITERS)) == 15
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "data"}
    broken = [
        link for link in re.findall(r'href="([^"]+)"', (out / "index.html").read_text()) if not (out / link).exists()
    ]
    assert broken == []
