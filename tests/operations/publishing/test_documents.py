"""Kept documents as viewers see them: uploads of every kind show the pixels that models see."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import NotFoundError
from limner.core.settings import Settings
from limner.operations.documents.desk import DocumentDesk
from limner.operations.documents.uploads import Upload
from limner.operations.images.pyramids import pyramid_size, render
from limner.operations.images.requests import read_request
from limner.operations.images.shelf import Shelf
from limner.operations.publishing.documents import PublishedDocument
from limner.operations.services import Services
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.workspaces import Workspaces
from tests.sources.image_files import encoded, gradient, tiff_pages


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def desk(settings: Settings, blobs: Blobs) -> Iterator[DocumentDesk]:
    database = Database(settings.database)
    database.upgrade()
    with Services(settings) as services:
        yield DocumentDesk(database, blobs, services.sources, Workspaces(database).ensure("Library").id)
    database.close()


def _published(desk: DocumentDesk, blobs: Blobs, settings: Settings, **files: bytes) -> PublishedDocument:
    uploads = [Upload(name.replace("_", "."), io.BytesIO(data)) for name, data in files.items()]
    document = desk.take_in(uploads, title="Ms 22", kind=None, author="me")
    return PublishedDocument(desk.stored, document.id, blobs, settings)


def _turned(image: Image.Image) -> bytes:
    """The image lying on its side, and EXIF that says so."""
    exif = Image.Exif()
    exif[274] = 6
    return encoded(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=97, exif=exif, subsampling=0)


def _sixteen_bits() -> bytes:
    return encoded(Image.fromarray(np.full((40, 60), 40_000, np.uint16)), "PNG")


def _transparent() -> bytes:
    image = gradient()
    image.putalpha(Image.new("L", image.size, 0))
    return encoded(image, "PNG")


@pytest.mark.parametrize(
    ("data", "colour"),
    [
        (_turned(gradient()), None),
        (_sixteen_bits(), (156, 156, 156)),
        (_transparent(), (255, 255, 255)),
        (encoded(Image.new("CMYK", (60, 40), (255, 0, 0, 0)), "JPEG"), (0, 255, 255)),
        (tiff_pages((60, 40)), None),
    ],
    ids=["turned", "16 bits", "transparent", "CMYK", "TIFF"],
)
def test_viewers_see_what_models_see(
    desk: DocumentDesk, blobs: Blobs, settings: Settings, data: bytes, colour: tuple[int, int, int] | None
) -> None:
    published = _published(desk, blobs, settings, scan_img=data)
    path = Shelf(blobs, settings).make(published.original(0, 0))
    assert pyramid_size(path) == (60, 40)
    shown = Image.open(io.BytesIO(render(path, read_request("full", "max", "0", "default.png", (60, 40)))))
    expected = np.asarray(gradient() if colour is None else Image.new("RGB", (60, 40), colour)).astype(int)
    assert np.abs(np.asarray(shown).astype(int) - expected).mean() < 4


def test_tiled_images_lie_with_the_images_and_go_with_the_document(
    desk: DocumentDesk, blobs: Blobs, settings: Settings
) -> None:
    published = _published(desk, blobs, settings, a_tif=tiff_pages((60, 40), (40, 60)))
    shelf, originals = Shelf(blobs, settings), list(published.originals())
    for original in originals:
        shelf.make(original)
    document_id = desk.stored.list()[0].id
    keys = blobs.keys(f"documents/{document_id}/images/tiles")
    assert keys == sorted(original.key for original in originals)
    desk.delete(document_id)
    assert blobs.keys("documents") == []
    with pytest.raises(NotFoundError):
        published.original(0, 0)


def test_pages_and_documents_that_are_not_there(desk: DocumentDesk, blobs: Blobs, settings: Settings) -> None:
    published = _published(desk, blobs, settings, a_png=encoded(gradient(), "PNG"))
    assert published.page(0, 0).page.name == "a.png"
    for number, index in ((0, 1), (1, 0)):
        with pytest.raises(NotFoundError):
            published.page(number, index)
        with pytest.raises(NotFoundError):
            published.original(number, index)


def test_the_stamp_changes_with_the_annotations(desk: DocumentDesk, blobs: Blobs, settings: Settings) -> None:
    published = _published(desk, blobs, settings, a_png=encoded(gradient(), "PNG"))
    document_id = desk.stored.list()[0].id
    desk.correct(document_id, 0, [], seen=0, author="me")
    assert PublishedDocument(desk.stored, document_id, blobs, settings).stamp() != published.stamp()
