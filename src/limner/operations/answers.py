"""What was found at once, as the client wants it: JSON, any format, or a picture."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from limner.annotations.drawing.overlay import draw_overlay
from limner.annotations.formats.protocol import WRITERS, Format, losses
from limner.annotations.serial import annotated_page_to_plain
from limner.core.errors import UsageError
from limner.operations.instant import InstantResult
from limner.operations.outputs import OVERLAY_SIDE

#: Forms of answer that are no file formats.
JSON, OVERLAY = "json", "overlay"


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer's body."""

    body: bytes
    media_type: str
    #: What the format could not hold, a sentence each.
    warnings: tuple[str, ...] = ()


def form_of(asked: str | None, accept: str) -> str:
    """The form wanted: what was asked for by name, or what ``Accept`` names; ``json`` otherwise.

    Raises `UnknownNameError` for a name that nobody knows.
    """
    if asked:
        return asked if asked in (JSON, OVERLAY) else WRITERS.get(asked).name
    for part in accept.split(","):
        form = _BY_MEDIA_TYPE.get(part.partition(";")[0].strip().lower())
        if form is not None:
            return form
    return JSON


#: Media types that stand for one form only.
_BY_MEDIA_TYPE = {
    "application/json": JSON,
    "image/png": OVERLAY,
    "text/csv": "csv",
    "application/x-ndjson": "jsonl",
    "application/ld+json": "iiif",
    "text/plain": "text",
    "application/xhtml+xml": "hocr",
}


def picture_side(form: str) -> int:
    """Length of the pictures that a form needs, pixels; 0 where it needs none."""
    return OVERLAY_SIDE if form == OVERLAY else 0


def render(result: InstantResult, form: str) -> Rendered:
    """The answer; uses the processor for a while where there is much. Raises `UsageError`."""
    if form == JSON:
        return Rendered(_json(result), "application/json")
    if form == OVERLAY:
        return Rendered(_overlay(result), "image/png")
    format_ = WRITERS.get(form)
    files = [(file.path, "".join(file.chunks).encode()) for file in format_.render(result.document)]
    warnings = tuple(losses(format_, result.document.pages))
    if len(files) == 1:
        return Rendered(files[0][1], _with_charset(format_), warnings)
    return Rendered(_zipped(dict(files)), "application/zip", warnings)


def _json(result: InstantResult) -> bytes:
    plain = {
        "model": result.model,
        "pages": [annotated_page_to_plain(page.annotated) for page in result.pages],
        "seconds": {stage: round(seconds, 5) for stage, seconds in result.seconds.items()},
    }
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()


def _overlay(result: InstantResult) -> bytes:
    if len(result.pages) != 1:
        raise UsageError(f"An overlay is of one image, and here are {len(result.pages)}.")
    page = result.pages[0]
    assert page.picture is not None  # noqa: S101 - an only page that failed has raised its error
    image = Image.fromarray(page.picture.pixels)
    image.thumbnail((OVERLAY_SIDE, OVERLAY_SIDE), reducing_gap=2.0)
    drawn = draw_overlay(image, page.annotated.annotations, (page.picture.width, page.picture.height))
    out = io.BytesIO()
    drawn.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _with_charset(format_: Format) -> str:
    return f"{format_.media_type}; charset=utf-8" if format_.media_type.startswith("text/") else format_.media_type


def _zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return out.getvalue()
