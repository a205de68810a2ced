"""What came of jobs as viewers see it: from files, from a kept document, from a library."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from iiif_prezi3 import Manifest
from PIL import Image

from limner.annotations.formats.iiif import IIIF
from limner.core.errors import ConflictError, NotFoundError
from limner.operations.images.pyramids import pyramid_size, render
from limner.operations.images.requests import read_request
from limner.operations.images.shelf import Shelf
from limner.operations.publishing.opening import Publisher
from limner.operations.publishing.places import Place
from limner.operations.publishing.published import Published
from limner.storage.engine.retention import Retention
from limner.storage.jobs import Job
from tests.annotations.formats.files import one_file
from tests.models.networks import bright_boxes_bundle
from tests.operations.jobs.workplace import Workplace, bright_page, image_bytes, opened, save_pages, upload
from tests.sources.iiif.loopback import IIIFServer

PLACE = Place("https://limner.example", "k" * 32)
BOX = (20, 40, 80, 100)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    bright = bright_boxes_bundle(tmp_path_factory.mktemp("bundles") / "bright", side=64)
    with opened(tmp_path_factory.mktemp("place"), bright) as made:
        yield made


def _published(place: Workplace, job: Job) -> Published:
    return Publisher(place.database, place.blobs, place.services).own(place.workspace_id, job.id)


def _manifest(published: Published, number: int = 0) -> dict[str, Any]:
    made = json.loads(one_file(IIIF, published.document(number, PLACE)))
    Manifest(**made)
    return made


def _service(manifest: dict[str, Any], at: int) -> str:
    return manifest["items"][at]["items"][0]["items"][0]["body"]["service"][0]["id"]


def _target(manifest: dict[str, Any], at: int) -> str:
    (annotation,) = manifest["items"][at]["annotations"][0]["items"]
    return annotation["target"]


def test_images_that_were_sent_are_ours_to_give(place: Workplace) -> None:
    pages = [bright_page(), bright_page(BOX), bright_page()]
    tiff = io.BytesIO()
    pages[0].save(tiff, "TIFF", save_all=True, append_images=pages[1:])
    job = place.done(place.submit(uploads=[upload("scan.tif", tiff.getvalue())], pages="2"))
    published = _published(place, job)
    manifest = _manifest(published)
    assert len(manifest["items"]) == 1
    assert _service(manifest, 0) == f"{PLACE.base}/0/images/1"
    assert _target(manifest, 0).endswith("#xywh=20,40,60,60")
    shelf = Shelf(place.blobs, place.settings)
    path = shelf.make(published.original(0, 1))
    shown = Image.open(io.BytesIO(render(path, read_request("full", "max", "0", "default.png", pyramid_size(path)))))
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(pages[1])).mean() < 4
    assert published.page(0, 1).annotations[0].label == "bright"
    for index in (0, 2, 3):  # there, but not chosen
        with pytest.raises(NotFoundError):
            published.original(0, index)
    Retention(place.database).job_images_gone(job.id)
    with pytest.raises(NotFoundError, match="not kept any more"):
        published.original(0, 1)
    place.desk().delete(job.id)
    assert shelf.find(f"jobs/{job.id}/images/tiles/0-1.tif") is None


def test_each_document_has_its_manifest(place: Workplace) -> None:
    first, second = (image_bytes(bright_page(BOX), "PDF") for _ in range(2))
    job = place.done(place.submit(uploads=[upload("a.pdf", first), upload("b.pdf", second)], title="Two"))
    published = _published(place, job)
    assert (published.title, published.titles()) == ("Two", {0: "a", 1: "b"})
    manifest = _manifest(published, 1)
    assert manifest["id"] == f"{PLACE.document(1)}/manifest.json"
    assert _service(manifest, 0) == f"{PLACE.base}/1/images/0"
    size = (manifest["items"][0]["width"], manifest["items"][0]["height"])
    assert pyramid_size(Shelf(place.blobs, place.settings).make(published.original(1, 0))) == size
    with pytest.raises(NotFoundError):
        published.document(2, PLACE)


def test_a_job_on_a_kept_document_shows_its_pages_and_no_others(place: Workplace) -> None:
    files = [upload(f"{n}.png", image_bytes(bright_page(BOX))) for n in range(3)]
    document = place.documents().take_in(files, title="Kept", kind=None, author="me")
    job = place.done(place.submit(document=document.id, pages="3"))
    published = _published(place, job)
    assert _service(_manifest(published), 0) == f"{PLACE.base}/0/images/2"
    assert published.original(0, 2).key.startswith(f"documents/{document.id}/images/")
    with pytest.raises(NotFoundError):
        published.original(0, 0)


def test_a_library_keeps_its_images_and_the_size_of_its_canvases(place: Workplace, tmp_path: Path) -> None:
    with IIIFServer(save_pages(tmp_path / "pages", 2)) as library:
        described = library.manifest()
        for canvas in described["items"]:
            canvas["width"], canvas["height"] = 960, 640  # three times as wide and twice as high as the image
        job = place.done(place.submit(described))
        published = _published(place, job)
        manifest = _manifest(published)
        assert manifest["id"] == PLACE.manifest
        assert _service(manifest, 1) == library.service_url("p0001")
        # The box is at 20, 0 of the image, 60 × 40 pixels.
        assert _target(manifest, 1) == f"{described['items'][1]['id']}#xywh=60,0,180,80"
        with pytest.raises(NotFoundError, match="where it came from"):
            published.original(0, 0)


def test_a_job_that_is_not_planned_has_nothing_to_show(place: Workplace) -> None:
    job = place.done(place.submit(["http://127.0.0.1:9/missing.jpg"]))
    published = _published(place, job)
    assert published.titles() == {0: "addresses"}
    broken = place.done(place.submit("http://127.0.0.1:9/manifest.json"))
    assert broken.status == "failed"
    with pytest.raises(ConflictError):
        _published(place, broken).titles()
