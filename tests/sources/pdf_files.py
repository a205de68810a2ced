"""PDF files made for the tests, with PDFium and by hand."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pypdfium2
from PIL import Image
from pypdfium2 import raw

from tests.sources.image_files import encoded

#: The text that fills up passwords (PDF 1.7, 7.6.3.3).
_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


class Drawing:
    """A PDF that is being drawn; coordinates are points from the lower left."""

    def __init__(self) -> None:
        self.pdf = pypdfium2.PdfDocument.new()

    def page(self, width: float = 360, height: float = 240, rotation: int = 0) -> pypdfium2.PdfPage:
        page = self.pdf.new_page(width, height)
        page.set_rotation(rotation)
        return page

    def image(self, page: pypdfium2.PdfPage, image: Image.Image, *matrix: float) -> None:
        """Put an image on a page: without loss, its unit square mapped by a matrix."""
        drawn = pypdfium2.PdfImage.new(self.pdf)
        drawn.set_bitmap(pypdfium2.PdfBitmap.from_pil(image))
        drawn.set_matrix(pypdfium2.PdfMatrix(*matrix))
        page.insert_obj(drawn)
        page.gen_content()

    def text(self, page: pypdfium2.PdfPage, *, invisible: bool = False) -> None:
        drawn = raw.FPDFPageObj_NewTextObj(self.pdf, b"Helvetica", 24.0)
        letters = "Mesdames".encode("utf-16-le") + b"\0\0"
        raw.FPDFText_SetText(drawn, (raw.FPDF_WCHAR * (len(letters) // 2)).from_buffer_copy(letters))
        raw.FPDFPageObj_Transform(drawn, 1, 0, 0, 1, 20, 100)
        if invisible:
            raw.FPDFTextObj_SetTextRenderMode(drawn, raw.FPDF_TEXTRENDERMODE_INVISIBLE)
        raw.FPDFPage_InsertObject(page, drawn)
        page.gen_content()

    def save(self, path: Path) -> Path:
        self.pdf.save(str(path))
        self.pdf.close()
        return path


def scan_by_pillow(path: Path, *images: Image.Image, resolution: float = 300) -> Path:
    """A PDF of scanned pages as Pillow writes it: each image a JPEG that fills its page."""
    path.write_bytes(
        encoded(images[0], "PDF", save_all=True, append_images=images[1:], resolution=resolution, quality=95)
    )
    return path


def by_hand(*objects: bytes, trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    out, offsets = io.BytesIO(b"%PDF-1.4\n"), []
    out.seek(0, io.SEEK_END)
    for number, content in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    out.write(b"trailer << /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, start))
    return out.getvalue()


def plain(
    media_box: bytes = b"[0 0 100 200]", count: int = 1, extra: bytes = b"", catalogue: bytes = b""
) -> list[bytes]:
    """The objects of a PDF with one empty page that stands in it as often as wanted."""
    kids = b" ".join([b"3 0 R"] * count)
    return [
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalogue,
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count),
        b"<< /Type /Page /Parent 2 0 R /MediaBox %s %s >>" % (media_box, extra),
    ]


def with_password(password: bytes) -> bytes:
    """A PDF that asks for a password (PDF 1.7, 7.6.3: 40-bit RC4)."""
    identity, rights = bytes(16), -4 & 0xFFFFFFFF
    padded = (password + _PADDING)[:32]
    owner = _rc4(hashlib.md5(padded).digest()[:5], padded)
    key = hashlib.md5(padded + owner + rights.to_bytes(4, "little") + identity).digest()[:5]
    user = _rc4(key, _PADDING)
    encrypt = b"<< /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P -4 >>" % (owner.hex().encode(), user.hex().encode())
    objects = [*plain(), encrypt]
    return by_hand(*objects, trailer=b"/Encrypt 4 0 R /ID [<%s> <%s>]" % ((identity.hex().encode(),) * 2))


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i, j, out = 0, 0, bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
