"""PDF documents, drawn page by page with PDFium."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from limner.annotations.page import Page
from limner.core.errors import DecodeError, SourceError
from limner.core.settings import Settings
from limner.sources.decode import check_pixels
from limner.sources.images.magic import Media
from limner.sources.local import is_file, media_of, too_many
from limner.sources.naming import numbered, plain_text, safe_name, with_page
from limner.sources.protocol import Encoded, OpenedDocument, Picture, SourceContext, Want

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

#: Resolution of a page that is not one scanned image, dots per inch.
RESOLUTION = 300
#: Points, the unit of PDF, in an inch.
_POINTS = 72
#: How much of the page's width and height an image has to cover to be a scan of it.
_COVERS = 0.9
#: A coarser image than this, dots per inch, is a background and no scan.
_COARSEST = 50
#: How far, as a fraction, a size may be off to be that of the image: pages are measured in rounded points.
_ROUNDING = 0.01
_INVISIBLE = 3

#: PDFium may be used by one thread at a time, and closes what is forgotten in whichever thread forgets it: so a
#: document is opened, used and closed under this lock. Opening takes milliseconds, whatever its length.
_PDFIUM = threading.Lock()


class PdfSource:
    """PDF files on this machine."""

    name = "pdf"
    priority = 50

    def accepts(self, spec: str) -> bool:
        """Whether this is a PDF by its name or its content."""
        return is_file(spec) and (spec.lower().endswith(".pdf") or media_of(spec) is Media.PDF)

    async def open(self, spec: str, context: SourceContext) -> AsyncIterator[OpenedDocument]:
        """One document of all pages."""
        path = Path(spec)
        identity, title = plain_text(path.as_posix()), plain_text(path.stem)
        yield await asyncio.to_thread(open_pdf, path, identity, title, context)


PDF = PdfSource()


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A page of a PDF, drawn at the size that is wanted when it is decoded."""

    path: Path
    index: int
    name: str
    settings: Settings
    #: What keeps the file on disk, if anything has to.
    keep: object = None

    def decode(self, want: Want) -> Picture:
        with _opened(self.path, self.name) as pdf, _loaded(pdf, self.index, self.name) as page:
            width, height = page_pixels(page)
            check_pixels(width, height, self.settings.max_pixels, f"Page {self.index + 1} of {self.name}")
            return Picture(_drawn(pdf, page, *_drawn_size(width, height, want)), width, height)


@dataclass(slots=True)
class _PdfPage:
    """A page of a PDF."""

    page: Page
    encoded: _Sheet

    async def fetch(self, want: Want) -> Encoded:  # noqa: ARG002 - it is there already
        return self.encoded


def open_pdf(path: Path, identity: str, title: str, context: SourceContext, keep: object = None) -> OpenedDocument:
    """The document of the pages of a PDF; raises `SourceError` where it cannot be read."""
    name, most = identity.rpartition("/")[2], context.settings.max_pages
    with _opened(path, name) as pdf:
        count = len(pdf)
        if count > most:
            raise too_many(identity, most)
        labels = [pdf.get_page_label(index) or None for index in range(count)]
        metadata = {
            key: value for key, value in pdf.get_metadata_dict(skip_empty=True).items() if isinstance(value, str)
        }
    if not count:
        raise SourceError(f"{name} has no pages.")
    image_name = f"{safe_name(Path(name).stem)}.jpg"
    handles = [
        _PdfPage(
            Page(
                id=with_page(name, index + 1),
                name=numbered(image_name, index + 1),
                index=index,
                source=with_page(identity, index + 1),
                label=label,
            ),
            _Sheet(path, index, name, context.settings, keep),
        )
        for index, label in enumerate(labels)
    ]
    return OpenedDocument(id=identity, title=title, handles=handles, metadata=metadata)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[PdfDocument]:
    """The document, while nobody else uses PDFium."""
    with _PDFIUM:
        import pypdfium2

        try:
            pdf = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError as error:
            raise _not_opened(name, error.err_code, error) from error
        except OSError as error:
            raise SourceError(f"{name} cannot be read: {error.strerror or 'no such file'}.") from error
        try:
            pdf.init_forms()
            yield pdf
        finally:
            pdf.close()


def _not_opened(name: str, code: int | None, error: Exception) -> SourceError:
    from pypdfium2 import raw

    if code == raw.FPDF_ERR_PASSWORD:
        return SourceError(f"{name} is protected by a password.", hint="Save it without one first.")
    return SourceError(f"{name} cannot be read as a PDF: {error}")


@contextmanager
def _loaded(pdf: PdfDocument, index: int, name: str) -> Iterator[PdfPage]:
    import pypdfium2

    try:
        page = pdf[index]
    except pypdfium2.PdfiumError as error:
        raise DecodeError(f"Page {index + 1} of {name} is damaged: {error}") from error
    try:
        yield page
    finally:
        page.close()


def page_pixels(page: PdfPage) -> tuple[int, int]:
    """Width and height of a page as it is shown, in pixels.

    A page that is one scanned image has the pixels of that image, whether or not text to be searched for lies
    invisibly over it; any other is measured at 300 dots per inch.
    """
    width, height = page.get_size()
    scan = _scan(page)
    if scan is None:
        return max(1, round(width * RESOLUTION / _POINTS)), max(1, round(height * RESOLUTION / _POINTS))
    (across, down), (x_scale, y_scale) = scan
    if page.get_rotation() in (90, 270):
        across, down, x_scale, y_scale = down, across, y_scale, x_scale
    return _snapped(width * x_scale, across), _snapped(height * y_scale, down)


def _snapped(length: float, pixels: int) -> int:
    return pixels if abs(length - pixels) <= max(2, pixels * _ROUNDING) else max(1, round(length))


def _scan(page: PdfPage) -> tuple[tuple[int, int], tuple[float, float]] | None:
    """The pixels of the one image that a page consists of, and pixels for a point; across and down, unrotated."""
    from pypdfium2 import PdfImage

    drawn = _only_visible(page)
    if drawn is None:
        return None
    image = PdfImage(drawn, page=page)
    left, bottom, right, top = page.get_bbox()
    x1, y1, x2, y2 = image.get_bounds()
    covers = (min(x2, right) - max(x1, left)) / (right - left), (min(y2, top) - max(y1, bottom)) / (top - bottom)
    (pixels_across, pixels_down), matrix = image.get_px_size(), image.get_matrix()
    across, down = math.hypot(matrix.a, matrix.b), math.hypot(matrix.c, matrix.d)
    if min(covers) < _COVERS or min(across, down) <= 0:
        return None
    size, scale = (pixels_across, pixels_down), (pixels_across / across, pixels_down / down)
    if abs(matrix.b) > abs(matrix.a):  # the image lies on its side
        size, scale = size[::-1], scale[::-1]
    return (size, scale) if min(scale) >= _COARSEST / _POINTS else None


def _only_visible(page: PdfPage) -> Any:  # noqa: ANN401 - PDFium's own pointer
    """The one image of a page on which nothing else is to be seen; None where there is anything else."""
    from pypdfium2 import raw

    only = None
    for at in range(raw.FPDFPage_CountObjects(page)):
        drawn = raw.FPDFPage_GetObject(page, at)
        kind = raw.FPDFPageObj_GetType(drawn)
        if kind == raw.FPDF_PAGEOBJ_TEXT and raw.FPDFTextObj_GetTextRenderMode(drawn) == _INVISIBLE:
            continue
        if kind != raw.FPDF_PAGEOBJ_IMAGE or only is not None:
            return None
        only = drawn
    return only


def _drawn_size(width: int, height: int, want: Want) -> tuple[int, int]:
    """The size to draw at: the longer side as wanted, never more than the original."""
    scale = min(1.0, want.max_side / max(width, height)) if want.max_side else 1.0
    return max(1, math.ceil(width * scale - 1e-6)), max(1, math.ceil(height * scale - 1e-6))


def _drawn(pdf: PdfDocument, page: PdfPage, width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The page on white, with its annotations and filled-in forms."""
    from pypdfium2 import PdfBitmap, raw

    bitmap = PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGR, rev_byteorder=True)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        flags = raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER
        raw.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, flags)
        if pdf.formenv:
            raw.FPDF_FFLDraw(pdf.formenv, bitmap, page, 0, 0, width, height, 0, flags)
        return np.array(bitmap.to_numpy())
    finally:
        bitmap.close()
