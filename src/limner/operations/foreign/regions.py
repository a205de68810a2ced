"""Regions as AIKON reads them (``contracts.md``, 2): entries for each image, boxes in base 36. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.pixels import pixel_box
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import UsageError

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
#: The largest number with two digits in base 36.
_FULL = 36**2 - 1
#: Margins reach to so many times the size of a box.
_WIDEST = 10.0
#: Decimals of relative coordinates and of scores.
_DECIMALS = 4
#: What older clients ask for by a word: each crop as a square, with a little room around it.
_WORDS: Mapping[str, Mapping[str, Json]] = {
    "squarify": {"squarify": True},
    "watermarks": {"squarify": True, "h_margin": 0.05, "v_margin": 0.05},
}


@dataclass(frozen=True, slots=True)
class Postprocess:
    """What is done with the boxes before they are handed out."""

    #: Widen the shorter side about the middle, so that the box becomes a square.
    squarify: bool = False
    #: Room to the left and to the right, as a fraction of the width; above and below, of the height.
    h_margin: float = 0.0
    v_margin: float = 0.0

    def __call__(self, box: Box) -> Box:
        """The box that is handed out; it may stick out of the page."""
        width, height = box.width, box.height
        if self.squarify:
            width = height = max(width, height)
        width, height = width * (1 + 2 * self.h_margin), height * (1 + 2 * self.v_margin)
        middle_x, middle_y = box.x + box.width / 2, box.y + box.height / 2
        return Box(middle_x - width / 2, middle_y - height / 2, width, height)

    def plain(self) -> dict[str, Json]:
        """As it is kept with a job."""
        return {"squarify": self.squarify, "h_margin": self.h_margin, "v_margin": self.v_margin}


def parse_postprocess(value: object) -> Postprocess:
    """What a client asks for: an object, the same as text, or the word of an older client; raises `UsageError`."""
    if isinstance(value, str):
        value = _read(value.strip())
    if value is None:
        return Postprocess()
    if not isinstance(value, Mapping):
        raise UsageError("`postprocess` is neither an object nor a word that is known.", hint=_FORM)
    squarify = value.get("squarify", False)
    if isinstance(squarify, str):
        squarify = squarify.strip().lower() in ("true", "1", "on", "yes")
    return Postprocess(bool(squarify), _margin(value, "h_margin"), _margin(value, "v_margin"))


_FORM = 'Write {"squarify": true, "h_margin": 0.05, "v_margin": 0.05}, or ' + " or ".join(_WORDS) + "."


def _read(text: str) -> object:
    if not text or text.lower() in ("none", "null"):
        return None
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"`postprocess` is {text[:50]!r}, which is not known.", hint=_FORM) from error


def _margin(value: Mapping[Any, Any], name: str) -> float:
    try:
        margin = float(value.get(name) or 0)
    except (TypeError, ValueError) as error:
        raise UsageError(f"`{name}` is no number.", hint=_FORM) from error
    if not (math.isfinite(margin) and 0 <= margin <= _WIDEST):
        raise UsageError(f"`{name}` lies between 0 and {_WIDEST:g}, not at {margin:g}.")
    return margin


def code(fraction: float) -> str:
    """A fraction of a side as two digits in base 36: ``00`` is 0, ``zz`` is 1."""
    number = min(_FULL, max(0, round(fraction * _FULL)))
    return _DIGITS[number // 36] + _DIGITS[number % 36]


def entry(annotated: AnnotatedPage, doc_uid: str, labels: Sequence[str], postprocess: Postprocess) -> dict[str, Json]:
    """One image and its crops."""
    page = annotated.page
    crops = (_crop(page, annotation, labels, postprocess) for annotation in annotated.annotations)
    return {
        "source": page.name,
        "source_info": {
            "id": page.name,
            "src": page.source,
            "path": f"images/{page.name}",
            "metadata": {"page": page.index + 1},
        },
        "width": page.width,
        "height": page.height,
        "doc_uid": doc_uid,
        "crops": [crop for crop in crops if crop is not None],
    }


def in_canvas_order(pages: Iterable[AnnotatedPage]) -> Iterator[AnnotatedPage]:
    """The pages, with an empty one for each that is missing: clients count the canvases by the entries."""
    last = -1
    for annotated in pages:
        for index in range(last + 1, annotated.page.index):
            name = f"{index + 1:04d}.jpg"
            yield AnnotatedPage(Page(id=name, name=name, index=index))
        last = max(last, annotated.page.index)
        yield annotated


def _crop(
    page: Page, annotation: Annotation, labels: Sequence[str], postprocess: Postprocess
) -> dict[str, Json] | None:
    edges = pixel_box(postprocess(annotation.shape.bounds), page) if page.sized else None
    if edges is None:
        return None
    left, top, right, bottom = edges
    size = {"x": page.width, "y": page.height, "w": page.width, "h": page.height}
    absolute = {"x1": left, "y1": top, "x2": right, "y2": bottom, "width": right - left, "height": bottom - top}
    relative: dict[str, Json] = {key: round(value / size[key[0]], _DECIMALS) for key, value in absolute.items()}
    bbox = "".join(code(absolute[key] / size[key[0]]) for key in ("x1", "y1", "width", "height"))
    label = annotation.label
    return {
        "bbox": bbox,
        "crop_id": f"{page.name}-{bbox}",
        "source": page.name,
        "confidence": None if annotation.score is None else round(annotation.score, _DECIMALS),
        "class": {"id": labels.index(label) if label in labels else -1, "label": label},
        "absolute": {**absolute},
        "relative": relative,
    }
