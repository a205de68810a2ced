from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from limner.core.errors import DecodeError, SourceError, TooLargeError
from limner.sources.pdf import PDF, open_pdf
from limner.sources.protocol import SOURCES, OpenedDocument, SourceContext, Want
from tests.sources.documents import all_of, limited, picture_of
from tests.sources.image_files import far_apart, gradient, jpeg
from tests.sources.pdf_files import Drawing, by_hand, plain, scan_by_pillow, with_password


async def opened(path: Path, context: SourceContext) -> OpenedDocument:
    (document,) = await all_of(PDF.open(str(path), context))
    return document


def test_what_is_accepted(tmp_path):
    for name, content in {"a.pdf": b"", "B.PDF": b"", "c": by_hand(*plain()), "d.jpg": jpeg()}.items():
        (tmp_path / name).write_bytes(content)
    assert SOURCES.get("pdf") is PDF
    names = ("a.pdf", "B.PDF", "c", "d.jpg", "gone.pdf")
    assert [name for name in names if PDF.accepts(str(tmp_path / name))] == ["a.pdf", "B.PDF", "c"]


async def test_pages_are_named_and_numbered(tmp_path, context):
    path = tmp_path / "Vol. 1: notes.pdf"
    path.write_bytes(by_hand(*plain(count=3)))
    document = await opened(path, context)
    assert (document.id, document.title) == (str(path), "Vol. 1: notes")
    pages = [handle.page for handle in document.handles]
    assert [page.id for page in pages] == [f"Vol. 1: notes.pdf#page={n}" for n in (1, 2, 3)]
    assert [page.name for page in pages] == [f"Vol. 1_ notes_000{n}.jpg" for n in (1, 2, 3)]
    assert [page.index for page in pages] == [0, 1, 2]
    assert pages[1].source == f"{path}#page=2"


async def test_page_labels_and_metadata(tmp_path, context):
    labels = b"/PageLabels << /Nums [0 << /S /r >> 2 << /S /D /P (A-) >>] >>"
    path = tmp_path / "a.pdf"
    path.write_bytes(by_hand(*plain(count=3, catalogue=labels), b"<< /Title (Heures) >>", trailer=b"/Info 4 0 R"))
    document = await opened(path, context)
    assert [handle.page.label for handle in document.handles] == ["i", "ii", "A-1"]
    assert document.metadata == {"Title": "Heures"}


async def test_a_drawn_page_is_measured_at_300_dots_per_inch(tmp_path, context):
    drawing = Drawing()
    drawing.text(drawing.page(360, 240))
    (handle,) = (await opened(drawing.save(tmp_path / "a.pdf"), context)).handles
    picture = await picture_of(handle)
    assert (picture.width, picture.height) == (1500, 1000)
    assert picture.pixels.shape == (1000, 1500, 3)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.flags.c_contiguous
    assert picture.pixels.flags.writeable
    rows = np.flatnonzero((picture.pixels < 128).any(axis=(1, 2)))
    assert 400 < rows.min() < rows.max() < 620  # the line of text, 100 points from the lower edge
    assert picture.pixels[0].min() == 255


@pytest.mark.parametrize(
    ("wanted", "shape"), [(640, (427, 640)), (1499, (1000, 1499)), (1500, (1000, 1500)), (9000, (1000, 1500))]
)
async def test_it_is_drawn_at_the_size_that_is_wanted(tmp_path, context, wanted, shape):
    drawing = Drawing()
    drawing.page(360, 240)
    (handle,) = (await opened(drawing.save(tmp_path / "a.pdf"), context)).handles
    picture = await picture_of(handle, wanted)
    assert picture.pixels.shape[:2] == shape
    assert (picture.width, picture.height) == (1500, 1000)


@pytest.mark.parametrize("resolution", [72, 150.5, 300, 600])
async def test_a_scan_has_the_pixels_of_its_image(tmp_path, context, resolution):
    images = [gradient(613, 411), gradient(200, 300)]
    path = scan_by_pillow(tmp_path / "a.pdf", *images, resolution=resolution)
    for handle, image in zip((await opened(path, context)).handles, images, strict=True):
        picture = await picture_of(handle)
        assert (picture.width, picture.height) == image.size
        assert np.abs(picture.pixels.astype(int) - np.asarray(image)).mean() < 3


async def test_a_scan_without_loss_comes_out_exactly(tmp_path, context):
    drawing = Drawing()
    drawing.image(drawing.page(), gradient(720, 480), 360, 0, 0, 240, 0, 0)
    (handle,) = (await opened(drawing.save(tmp_path / "a.pdf"), context)).handles
    assert far_apart((await picture_of(handle)).pixels, gradient(720, 480)) == 0


async def test_text_that_cannot_be_seen_makes_it_no_less_a_scan(tmp_path, context):
    drawing = Drawing()
    for invisible in (True, False):
        page = drawing.page()
        drawing.image(page, gradient(720, 480), 360, 0, 0, 240, 0, 0)
        drawing.text(page, invisible=invisible)
    searchable, stamped = (await opened(drawing.save(tmp_path / "a.pdf"), context)).handles
    assert (await picture_of(searchable)).width == 720
    assert (await picture_of(stamped)).width == 1500


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
async def test_turned_pages(tmp_path, context, rotation):
    drawing = Drawing()
    drawing.image(drawing.page(rotation=rotation), gradient(720, 480), 360, 0, 0, 240, 0, 0)
    (handle,) = (await opened(drawing.save(tmp_path / "a.pdf"), context)).handles
    picture = await picture_of(handle)
    turned = gradient(720, 480).rotate(-rotation, expand=True)
    assert (picture.width, picture.height) == turned.size
    assert far_apart(picture.pixels, turned) <= 2


async def test_an_image_that_lies_on_its_side(tmp_path, context):
    drawing = Drawing()
    drawing.image(drawing.page(240, 360), gradient(720, 480), 0, 360, -240, 0, 240, 0)
    (handle,) = (await opened(drawing.save(tmp_path / "a.pdf"), context)).handles
    picture = await picture_of(handle)
    assert (picture.width, picture.height) == (480, 720)
    assert far_apart(picture.pixels, gradient(720, 480).rotate(90, expand=True)) <= 2


async def test_a_fax_has_pixels_that_are_not_square(tmp_path, context):
    drawing = Drawing()
    drawing.image(drawing.page(), gradient(1020, 340), 360, 0, 0, 240, 0, 0)
    (handle,) = (await opened(drawing.save(tmp_path / "a.pdf"), context)).handles
    picture = await picture_of(handle)
    assert picture.pixels.shape == (340, 1020, 3)


async def test_a_scan_with_a_margin_keeps_its_resolution(tmp_path, context):
    drawing = Drawing()
    drawing.image(drawing.page(), gradient(684, 456), 342, 0, 0, 228, 9, 6)
    (handle,) = (await opened(drawing.save(tmp_path / "a.pdf"), context)).handles
    picture = await picture_of(handle)
    assert (picture.width, picture.height) == (720, 480)  # two pixels a point, for the whole page
    assert picture.pixels[:10].min() == 255


@pytest.mark.parametrize(
    ("size", "matrix"),
    [((720, 480), (180, 0, 0, 120, 0, 0)), ((12, 8), (360, 0, 0, 240, 0, 0)), ((720, 480), (360, 0, 0, 120, 0, 0))],
)
async def test_a_picture_on_a_page_is_no_scan(tmp_path, context, size, matrix):
    drawing = Drawing()
    drawing.image(drawing.page(), gradient(*size), *matrix)
    (handle,) = (await opened(drawing.save(tmp_path / "a.pdf"), context)).handles
    assert (await picture_of(handle)).width == 1500


async def test_two_images_are_no_scan(tmp_path, context):
    drawing = Drawing()
    page = drawing.page()
    for _ in range(2):
        drawing.image(page, gradient(720, 480), 360, 0, 0, 240, 0, 0)
    (handle,) = (await opened(drawing.save(tmp_path / "a.pdf"), context)).handles
    assert (await picture_of(handle)).width == 1500


async def test_the_crop_box_is_the_page(tmp_path, context):
    path = tmp_path / "a.pdf"
    path.write_bytes(by_hand(*plain(extra=b"/CropBox [10 20 60 80]")))
    picture = await picture_of((await opened(path, context)).handles[0])
    assert (picture.width, picture.height) == (208, 250)


async def test_annotations_are_drawn(tmp_path, context):
    square = b"<< /Type /Annot /Subtype /Square /Rect [10 10 90 190] /C [1 0 0] /AP << /N 5 0 R >> >>"
    stream = b"1 0 0 rg 0 0 80 180 re f"
    form = b"<< /Type /XObject /Subtype /Form /BBox [0 0 80 180] /Length %d >>\nstream\n%s\nendstream" % (
        len(stream),
        stream,
    )
    path = tmp_path / "a.pdf"
    path.write_bytes(by_hand(*plain(extra=b"/Annots [4 0 R]"), square, form))
    picture = await picture_of((await opened(path, context)).handles[0], 200)
    assert picture.pixels[100, 50].tolist() == [255, 0, 0]
    assert picture.pixels[2, 2].tolist() == [255, 255, 255]


async def test_a_password_is_asked_for(tmp_path, context):
    path = tmp_path / "a.pdf"
    path.write_bytes(with_password(b"secret"))
    pypdfium2.PdfDocument(path, password="secret").close()  # the file is as it should be
    with pytest.raises(SourceError, match=r"^a\.pdf is protected by a password\."):
        await opened(path, context)
    path.write_bytes(with_password(b""))
    assert len((await opened(path, context)).handles) == 1


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4\n", b"<html>", by_hand(*plain())[:150]])
async def test_what_is_no_pdf(tmp_path, context, content):
    (tmp_path / "a.pdf").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.pdf (cannot be read as a PDF|has no pages)"):
        await opened(tmp_path / "a.pdf", context)


async def test_a_file_that_goes_away_is_a_page_that_says_so(tmp_path, context):
    path = tmp_path / "a.pdf"
    path.write_bytes(by_hand(*plain()))
    document = await opened(path, context)
    path.unlink()
    encoded = await document.handles[0].fetch(Want())
    with pytest.raises(SourceError, match=r"a\.pdf cannot be read"):
        encoded.decode(Want())


async def test_a_damaged_page_is_a_page_that_says_so(tmp_path, context):
    good, bad = plain(), b"<< /Type /Nothing >>"
    path = tmp_path / "a.pdf"
    path.write_bytes(by_hand(good[0], b"<< /Type /Pages /Kids [3 0 R 9 0 R] /Count 2 >>", good[2], bad))
    document = await opened(path, context)
    assert (await picture_of(document.handles[0])).width == 417
    encoded = await document.handles[1].fetch(Want())
    with pytest.raises(DecodeError, match=r"Page 2 of a\.pdf is damaged"):
        encoded.decode(Want())


async def test_a_huge_page_is_refused_before_it_is_drawn(tmp_path, context):
    path = tmp_path / "a.pdf"
    path.write_bytes(by_hand(*plain(b"[0 0 14400 14400]")))
    encoded = await (await opened(path, context)).handles[0].fetch(Want())
    with pytest.raises(TooLargeError, match=r"Page 1 of a\.pdf says that it is 60,000 × 60,000 pixels"):
        encoded.decode(Want(640))


async def test_too_many_pages(tmp_path, context):
    path = tmp_path / "a.pdf"
    path.write_bytes(by_hand(*plain(count=4)))
    assert len((await opened(path, limited(context, max_pages=4))).handles) == 4
    with pytest.raises(TooLargeError, match="more than 3 pages"):
        await opened(path, limited(context, max_pages=3))


def test_pages_are_drawn_from_several_threads(tmp_path, context):
    images = [Image.new("RGB", (40 + n, 30), (n * 10, 0, 0)) for n in range(20)]
    document = open_pdf(scan_by_pillow(tmp_path / "a.pdf", *images), "a.pdf", "a", context)
    with ThreadPoolExecutor(8) as pool:
        widths = list(pool.map(lambda handle: handle.encoded.decode(Want()).width, list(document.handles) * 3))
    assert widths == [40 + n for n in range(20)] * 3
