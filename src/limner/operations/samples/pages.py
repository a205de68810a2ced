"""The sample pages, a book of figures that never was, and a IIIF manifest of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from limner.annotations.annotation import Annotation, Json
from limner.operations.samples import manuscript, printed_book
from limner.operations.samples.paper import Paper, printed
from limner.operations.samples.sheet import Sheet, truth

#: Size of every page, pixels.
WIDTH, HEIGHT = 1200, 1600
TITLE = "The Book of Figures, a sample"
#: This page's canvas is larger than its image by this factor, as in many real manifests.
_ENLARGED_PAGE, _FACTOR = 4, 2.5
#: JPEG quality: files of about 200 kB.
_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Plan:
    """How a page is made."""

    label: str
    draw: Callable[[Sheet], None]
    paper: Paper


@dataclass(frozen=True, slots=True)
class SamplePage:
    """A drawn page with the truth about it."""

    #: File name, such as ``page-03.jpg``.
    name: str
    #: What people call the page.
    label: str
    #: The image as a JPEG file.
    jpeg: bytes
    #: Zones: illustration, initial, text, margin, numbering, running-title, table.
    truth: tuple[Annotation, ...]
    #: Lines with their text, in reading order; their label is ``line``.
    lines: tuple[Annotation, ...]
    #: Size of the image, pixels.
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def text(self) -> str:
        """All lines, in reading order."""
        return "\n".join(line.text or "" for line in self.lines)


_RECTO, _VERSO = Paper(), Paper(colour=(237, 226, 200), gutter="right")
PLANS: tuple[Plan, ...] = (
    Plan("Title page", printed_book.title_page, Paper(colour=(240, 230, 208), spots=16)),
    Plan("p. 1", printed_book.opening, _RECTO),
    Plan("p. 12", printed_book.geometry, _VERSO),
    Plan("p. 27", printed_book.astronomy, _RECTO),
    Plan("p. 40", printed_book.herbal, Paper(colour=(241, 232, 212), gutter="right", through=0.02, spots=6)),
    Plan("p. 53", printed_book.voyage, _RECTO),
    Plan("p. 68", printed_book.table, Paper(colour=(236, 226, 203), gutter="right", spots=14)),
    Plan("f. 7r", manuscript.garden, Paper(colour=(238, 226, 196), laid=False, spots=5, through=0.07)),
)


def draw_page(number: int) -> tuple[Image.Image, Sheet]:
    """A page by its number from 1, and the sheet that it was printed from; the same each time."""
    plan = PLANS[number - 1]
    sheet = Sheet(WIDTH, HEIGHT, np.random.default_rng((1543, number)))
    plan.draw(sheet)
    return printed(plan.paper, sheet.masks, (WIDTH, HEIGHT), sheet.rng), sheet


@lru_cache(maxsize=len(PLANS))
def _page(number: int) -> SamplePage:
    name = f"page-{number:02}"
    image, sheet = draw_page(number)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, optimize=True)
    zones, lines = truth(name, sheet)
    return SamplePage(f"{name}.jpg", PLANS[number - 1].label, file.getvalue(), zones, lines)


def sample_pages() -> list[SamplePage]:
    """All sample pages; they are drawn when they are first asked for."""
    return [_page(number) for number in range(1, len(PLANS) + 1)]


def sample_manifest(base_url: str) -> dict[str, Json]:
    """A manifest (IIIF Presentation 3) whose images lie at ``<base_url>/images/<name of the page>``.

    One canvas has another size than its image.
    """
    base = base_url.rstrip("/")
    return {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": f"{base}/manifest.json",
        "type": "Manifest",
        "label": {"en": [TITLE], "fr": ["Le livre des figures, un exemple"]},
        "summary": {"en": ["Pages drawn by Limner to try it out: no library owns them."]},
        "rights": "http://creativecommons.org/publicdomain/zero/1.0/",
        "items": [_canvas(base, number) for number in range(1, len(PLANS) + 1)],
    }


def _canvas(base: str, number: int) -> dict[str, Json]:
    factor = _FACTOR if number == _ENLARGED_PAGE else 1
    canvas = f"{base}/canvas/{number}"
    body: dict[str, Json] = {
        "id": f"{base}/images/page-{number:02}.jpg",
        "type": "Image",
        "format": "image/jpeg",
        "width": WIDTH,
        "height": HEIGHT,
    }
    painting: dict[str, Json] = {
        "id": f"{canvas}/painting",
        "type": "Annotation",
        "motivation": "painting",
        "target": canvas,
        "body": body,
    }
    return {
        "id": canvas,
        "type": "Canvas",
        "label": {"none": [PLANS[number - 1].label]},
        "width": round(WIDTH * factor),
        "height": round(HEIGHT * factor),
        "items": [{"id": f"{canvas}/page", "type": "AnnotationPage", "items": [painting]}],
    }
