"""Hypothesis strategies for everything in the domain.

All numbers lie on the grids that are written (thousandths of a pixel, five places of a score), so that a
round trip can be compared with ``==``. All shapes lie within their page.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from hypothesis import strategies as st

from limner.annotations.annotation import Annotation, ByModel, ByPerson
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import Feature
from limner.annotations.masks import mask_from_array
from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box, Mask, Polygon

EVERYTHING = frozenset(Feature)
#: Characters that XML 1.0 can hold, line ends excepted (parsers turn all of them into one).
CHARACTERS = st.characters(exclude_categories=("Cs", "Cc", "Cn"))

texts = st.text(CHARACTERS, min_size=1, max_size=12)
labels = st.one_of(st.sampled_from(["figure", "initial", "ligne d’écriture", "a, b", "yes", "0"]), texts).filter(
    lambda label: label == label.strip() and label
)
scores = st.integers(0, 100_000).map(lambda n: n / 100_000)
_plain_json = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6) | texts
json_values = st.recursive(
    _plain_json, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2), max_leaves=4
)
attributes = st.dictionaries(texts, json_values, max_size=2)
provenances = st.one_of(
    st.builds(ByModel, texts, texts, st.sampled_from(["", "ab" * 32]), attributes), st.builds(ByPerson, texts)
)
file_names = st.builds(
    lambda stem, suffix: f"{stem}.{suffix}",
    st.from_regex(r"[a-zé0-9_\- ]{1,8}", fullmatch=True).filter(lambda stem: stem == stem.strip()),
    st.sampled_from(["jpg", "png", "tif"]),
)


def _spans(limit: int, steps: int) -> st.SearchStrategy[tuple[float, float]]:
    """Start and end between 0 and the limit, in parts of a pixel."""
    ends = st.lists(st.integers(0, limit * steps), min_size=2, max_size=2, unique=True)
    return ends.map(lambda pair: (min(pair) / steps, max(pair) / steps))


@st.composite
def boxes(draw: st.DrawFn, width: int = 100, height: int = 100, *, whole: bool = False) -> Box:
    """A box on a page of that size; with ``whole`` its edges lie between pixels."""
    steps = 1 if whole else 8
    (left, right), (top, bottom) = draw(_spans(width, steps)), draw(_spans(height, steps))
    return Box(left, top, right - left, bottom - top)


@st.composite
def polygons(draw: st.DrawFn, width: int = 100, height: int = 100, *, holes: bool = False) -> Polygon:
    """A polygon without crossings, with a hole if wanted, in eighths of a pixel."""
    radius = draw(st.integers(4, min(width, height) // 2 - 1))
    x = draw(st.integers(radius, width - radius))
    y = draw(st.integers(radius, height - radius))
    corners = draw(st.integers(5, 9))
    reach = draw(st.lists(st.integers(75, 100), min_size=corners, max_size=corners))

    def ring(share: float) -> tuple[tuple[float, float], ...]:
        turns = [2 * math.pi * i / corners for i in range(corners)]
        return tuple(
            (
                round((x + radius * share * r / 100 * math.cos(turn)) * 8) / 8,
                round((y + radius * share * r / 100 * math.sin(turn)) * 8) / 8,
            )
            for r, turn in zip(reach, turns, strict=True)
        )

    return Polygon(ring(1.0), (ring(0.45),) if holes else ())


@st.composite
def masks(draw: st.DrawFn, width: int = 100, height: int = 100) -> Mask:
    """A mask of the whole page's size: some rectangles put in, some taken out, at least one pixel in."""
    inside = np.zeros((height, width), dtype=bool)
    for value in (True, True, False):
        box = draw(boxes(width, height, whole=True))
        inside[int(box.y) : int(box.y2), int(box.x) : int(box.x2)] = value
    inside[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return mask_from_array(inside)


def shapes(
    width: int = 100, height: int = 100, holds: Collection[Feature] = EVERYTHING, *, whole: bool = False
) -> st.SearchStrategy[Box | Polygon | Mask]:
    """Any shape on a page of that size that a format with these features can hold."""
    kinds: list[st.SearchStrategy[Box | Polygon | Mask]] = [boxes(width, height, whole=whole)]
    if Feature.POLYGON in holds:
        kinds.append(polygons(width, height))
    if Feature.HOLES in holds:
        kinds.append(polygons(width, height, holes=True))
    if Feature.MASK in holds:
        kinds.append(masks(width, height))
    return st.one_of(kinds)


@st.composite
def annotations(
    draw: st.DrawFn,
    width: int = 100,
    height: int = 100,
    holds: Collection[Feature] = EVERYTHING,
    *,
    whole: bool = False,
    named: str = "a",
) -> Annotation:
    """An annotation that makes use of nothing but the features given."""

    def maybe(feature: Feature, values: st.SearchStrategy) -> object:
        return draw(st.none() | values) if feature in holds else None

    return Annotation(
        id=named,
        shape=draw(shapes(width, height, holds, whole=whole)),
        label=draw(labels),
        score=maybe(Feature.SCORE, scores),
        text=maybe(Feature.TEXT, texts),
        attributes=maybe(Feature.ATTRIBUTES, attributes) or {},
        provenance=maybe(Feature.PROVENANCE, provenances),
    )


@st.composite
def canvases(draw: st.DrawFn) -> Canvas:
    """A canvas, in part or in whole painted by the image."""
    width, height = draw(st.integers(10, 5000)), draw(st.integers(10, 5000))
    target = draw(st.none() | boxes(width, height))
    return Canvas(f"https://example.org/canvas/{draw(st.integers(1, 99))}", width, height, target)


@st.composite
def pages(draw: st.DrawFn, name: str = "0001.jpg", index: int = 0, *, canvas: bool = False) -> Page:
    """A page of known size."""
    return Page(
        id=f"page-{index}",
        name=name,
        index=index,
        width=draw(st.integers(12, 120)),
        height=draw(st.integers(12, 120)),
        source=draw(st.sampled_from(["", f"https://example.org/{index}.jpg"])),
        label=draw(st.none() | texts),
        canvas=draw(canvases()) if canvas else None,
    )


@st.composite
def annotated_pages(
    draw: st.DrawFn,
    holds: Collection[Feature] = EVERYTHING,
    *,
    name: str = "0001.jpg",
    index: int = 0,
    whole: bool = False,
    canvas: bool = False,
    most: int = 3,
) -> AnnotatedPage:
    """A page with up to ``most`` annotations, whose ids are ``1``, ``2``, …; or a failed one."""
    page = draw(pages(name, index, canvas=canvas))
    if Feature.ERROR in holds and draw(st.integers(0, 9)) == 0:
        return AnnotatedPage(page, (), draw(texts))
    count = draw(st.integers(0, most))
    found = (annotations(page.width, page.height, holds, whole=whole, named=str(n + 1)) for n in range(count))
    return AnnotatedPage(page, tuple(draw(each) for each in found))


@st.composite
def documents(
    draw: st.DrawFn,
    holds: Collection[Feature] = EVERYTHING,
    *,
    whole: bool = False,
    canvas: bool = False,
    most_pages: int = 3,
) -> Document:
    """A document that makes use of nothing but the features given; page names differ in more than capitals."""
    names = draw(st.lists(file_names, min_size=1, max_size=most_pages, unique=True))
    return Document(
        id="https://example.org/manifest.json",
        title=draw(texts),
        pages=tuple(
            draw(annotated_pages(holds, name=name, index=index, whole=whole, canvas=canvas))
            for index, name in enumerate(names)
        ),
        rights=draw(st.sampled_from([None, "https://creativecommons.org/licenses/by/4.0/"])),
    )
