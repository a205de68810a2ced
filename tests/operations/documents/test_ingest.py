import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from limner.core.errors import SourceError, TooLargeError
from limner.core.settings import Settings
from limner.operations.documents.ingest import Staged, stage
from limner.operations.documents.uploads import Upload, save_uploads
from limner.sources.protocol import SourceContext
from tests.sources.image_files import encoded, gradient, jpeg, tiff_pages
from tests.sources.pdf_files import Drawing


def _staged(folder: Path, context: SourceContext, **files: bytes) -> Staged:
    uploads = [Upload(name.replace("_", "."), io.BytesIO(data)) for name, data in files.items()]
    return stage(save_uploads(uploads, folder), folder, context)


def _zip(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_images_that_browsers_show_stay_as_they_are(tmp_path: Path, context: SourceContext) -> None:
    images = {f"{kind}_{kind}": encoded(gradient(70, 50), kind.upper()) for kind in ("jpeg", "png", "webp", "gif")}
    staged = _staged(tmp_path, context, **images)
    assert [entry.path.read_bytes() for entry in staged.pages] == list(images.values())
    assert {(entry.page.width, entry.page.height) for entry in staged.pages} == {(70, 50)}
    assert staged.originals == staged.skipped == []


def test_other_images_become_jpegs_and_the_files_are_kept_beside(tmp_path: Path, context: SourceContext) -> None:
    tiff = tiff_pages((40, 30), (30, 40))
    drawing = Drawing()
    drawing.page(72, 36)
    pdf = drawing.save(tmp_path / "drawn").read_bytes()
    staged = _staged(tmp_path, context, a_tif=tiff, b_pdf=pdf)
    assert [(e.page.index, e.page.name, e.page.width, e.page.height) for e in staged.pages] == [
        (0, "a_0001.tif", 40, 30),
        (1, "a_0002.tif", 30, 40),
        (2, "b_0001.jpg", 300, 150),
    ]
    for entry in staged.pages:
        with Image.open(entry.path) as image:
            assert (image.format, image.size) == ("JPEG", (entry.page.width, entry.page.height))
    assert [(file.name, file.path.read_bytes()) for file in staged.originals] == [("a.tif", tiff), ("b.pdf", pdf)]


def test_a_zip_gives_its_images_as_people_count(tmp_path: Path, context: SourceContext) -> None:
    first, tiff = jpeg(20, 20), tiff_pages((12, 10))
    packed = _zip({"p/10.jpg": jpeg(), "p/2.jpg": first, "p/3.tif": tiff, "notes.txt": b"hello", "x.pdf": b"%PDF-"})
    staged = _staged(tmp_path, context, all_zip=packed)
    assert [entry.page.name for entry in staged.pages] == ["2.jpg", "3.tif", "10.jpg"]
    assert staged.pages[0].path.read_bytes() == first
    assert [(file.name, file.path.read_bytes()) for file in staged.originals] == [("3.tif", tiff)]
    assert [entry.where for entry in staged.skipped] == ["x.pdf"]


def test_what_is_damaged_or_leads_out_is_left_out_and_named(tmp_path: Path, context: SourceContext) -> None:
    packed = _zip({"../evil.jpg": jpeg(), "cut.jpg": jpeg(200, 200)[:900], "fine.jpg": jpeg()})
    staged = _staged(tmp_path, context, all_zip=packed)
    assert [entry.page.name for entry in staged.pages] == ["fine.jpg"]
    reasons = {entry.where: entry.reason for entry in staged.skipped}
    assert "leads out of the zip file" in reasons["../evil.jpg"]
    assert "breaks off" in reasons["cut.jpg"]
    assert not (tmp_path.parent / "evil.jpg").exists()


def test_pages_of_the_same_name_are_told_apart(tmp_path: Path, context: SourceContext) -> None:
    packed = _zip({"a/1.jpg": jpeg(), "b/1.jpg": jpeg()})
    uploads = [Upload("1.jpg", io.BytesIO(jpeg())), Upload("z.zip", io.BytesIO(packed))]
    uploads += [Upload("y.zip", io.BytesIO(packed))]
    staged = stage(save_uploads(uploads, tmp_path), tmp_path, context)
    pages = [entry.page for entry in staged.pages]
    assert [page.index for page in pages] == [0, 1, 2, 3, 4]
    assert len({page.name.casefold() for page in pages}) == len({page.id for page in pages}) == 5


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path, context: SourceContext) -> None:
    with pytest.raises(SourceError, match=r"No page of these files can be read\. a\.jpg: "):
        _staged(tmp_path, context, a_jpg=jpeg(200, 200)[:900])


def test_a_zip_that_fills_the_disk_is_refused(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, max_body_bytes=20_000, fetch_max_bytes=1_000_000)
    from limner.operations.services import Services

    flat = encoded(Image.new("RGB", (60, 60)), "BMP")
    with Services(settings) as services, pytest.raises(TooLargeError, match="unpacks to more than 20,000 bytes"):
        _staged(tmp_path, services.sources, all_zip=_zip({f"{n}.bmp": flat for n in range(5)}))


def test_an_entry_beyond_the_limit_is_left_out(tmp_path: Path) -> None:
    from limner.operations.services import Services

    settings = Settings(data=tmp_path, fetch_max_bytes=5_000)
    entries = {"large.bmp": encoded(gradient(60, 60), "BMP"), "small.jpg": jpeg(8, 8)}
    with Services(settings) as services:
        staged = _staged(tmp_path, services.sources, all_zip=_zip(entries))
    assert [entry.page.name for entry in staged.pages] == ["small.jpg"]
    assert staged.skipped[0].where == "large.bmp"
