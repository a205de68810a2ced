import gc
import io
from pathlib import Path

import pytest

from limner.core.errors import NotFoundError, SourceError
from limner.operations.documents.uploads import (
    Upload,
    keep_uploads,
    local_file,
    media_of_upload,
    open_files,
    save_uploads,
    upload_names,
)
from limner.sources.images.magic import Media
from limner.sources.protocol import SourceContext
from limner.storage.blobs import Blobs
from tests.sources.image_files import encoded, gradient, jpeg, tiff_pages


def _upload(name: str, data: bytes) -> Upload:
    return Upload(name, io.BytesIO(data))


def test_the_first_bytes_say_what_a_file_is_and_not_its_name() -> None:
    assert media_of_upload(_upload("page.pdf", jpeg())) is Media.JPEG
    assert media_of_upload(_upload("", tiff_pages((9, 9)))) is Media.TIFF
    for data in (b"", b"MZ\x90\x00", b"<!doctype html>", b'{"type": "Manifest"}'):
        with pytest.raises(SourceError, match=r"The file page\.jpg is"):
            media_of_upload(_upload("page.jpg", data))


def test_names_cannot_lead_anywhere_and_are_there_once() -> None:
    names = ["../../etc/passwd", "C:\\scans\\page.jpg", "PAGE.JPG", "a\nb.png", "", ".."]
    assert upload_names([_upload(name, b"") for name in names]) == [
        "passwd",
        "page.jpg",
        "PAGE-2.JPG",
        "a_x0ab.png",
        "upload",
        "upload-2",
    ]


def test_uploads_are_kept_and_opened_from_the_store(blobs: Blobs, context: SourceContext) -> None:
    kept = keep_uploads([_upload("b.jpg", jpeg()), _upload("a.tif", tiff_pages((8, 8), (9, 9)))], blobs, "inbox/1")
    assert blobs.keys("inbox") == ["inbox/1/0.jpg", "inbox/1/1.tif"]
    files = [local_file(blobs, f"inbox/1/{file.blob}", file.name) for file in kept]
    ((document, positions),) = open_files(files, context)
    assert positions == (0, 1)
    assert document.id == "b.jpg and 1 more"
    assert [handle.page.name for handle in document.handles] == ["b.jpg", "a_0001.tif", "a_0002.tif"]
    with pytest.raises(NotFoundError, match=r"c\.jpg is not kept"):
        local_file(blobs, "inbox/1/2.jpg", "c.jpg")


def test_from_a_store_elsewhere_a_file_is_copied_here_for_as_long_as_it_is_used() -> None:
    blobs = Blobs("memory://uploads")
    (kept,) = keep_uploads([_upload("a.png", encoded(gradient(), "PNG"))], blobs, "inbox/1")
    file = local_file(blobs, f"inbox/1/{kept.blob}", kept.name)
    path: Path = file.path
    assert (path.suffix, file.media) == (".png", Media.PNG)
    assert path.read_bytes() == blobs.read("inbox/1/0.png")
    del file
    gc.collect()
    assert not path.exists()


def test_a_file_of_no_use_keeps_all_of_them_out(blobs: Blobs, tmp_path: Path) -> None:
    uploads = [_upload("a.jpg", jpeg()), _upload("b.exe", b"MZ\x90\x00")]
    with pytest.raises(SourceError):
        keep_uploads(uploads, blobs, "inbox/1")
    with pytest.raises(SourceError):
        save_uploads(uploads, tmp_path)
    assert blobs.keys("inbox") == []
