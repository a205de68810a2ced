"""The canvases of a manifest, as far as annotations need them: size, images, and what is annotated on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from limner.annotations.annotation import Json
from limner.annotations.formats.imported_pages import name_from_url
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.formats.reading import usable
from limner.annotations.formats.selectors import Fragment, area_of, plain_types, targets
from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box


@dataclass(frozen=True, slots=True)
class CanvasEntry:
    """A canvas of a manifest."""

    id: str
    #: One page for each image; one for the canvas where it has none.
    pages: list[Page]
    #: Annotation pages and lists, or their addresses.
    annotations: list[Json] = field(default_factory=list)


def canvases_of(manifest: Mapping[str, Json], context: ParseContext) -> Iterator[CanvasEntry]:
    """The canvases of a manifest of Presentation 2 or 3; what is no canvas is reported."""
    sequences = [each for each in listed(manifest.get("sequences")) if isinstance(each, dict)]
    older = [each for sequence in sequences[:1] for each in listed(sequence.get("canvases"))]
    for number, canvas in enumerate(older or listed(manifest.get("items")), 1):
        entry = usable(context, f"canvas {number}", partial(_entry, canvas))
        if entry is not None:
            yield entry


def _entry(value: Json) -> CanvasEntry:
    if not isinstance(value, dict):
        raise TypeError("it is no object.")
    identifier = str(value["id"] if "id" in value else value["@id"])
    width, height = float(value["width"]), float(value["height"])  # type: ignore[arg-type]
    canvas = Canvas(identifier, width, height)
    pages = [_page(each, canvas) for each in _paintings(value)]
    bare = Page(id=identifier, name=name_from_url(identifier), index=0, canvas=canvas)
    annotations = [*listed(value.get("annotations")), *listed(value.get("otherContent"))]
    return CanvasEntry(identifier, pages or [bare], annotations)


def _paintings(canvas: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    pages = [page for page in listed(canvas.get("items")) if isinstance(page, dict)]
    newer = [painting for page in pages for painting in listed(page.get("items"))]
    for painting in newer or listed(canvas.get("images")):
        if isinstance(painting, dict):
            yield painting


def _page(painting: Mapping[str, Json], canvas: Canvas) -> Page:
    body = first_choice(painting.get("body", painting.get("resource")))
    url = str(body.get("id", body.get("@id", canvas.id)))
    size = [body.get(key) for key in ("width", "height")]
    width, height = (value if isinstance(value, int) and value > 0 else 0 for value in size)
    placed = Canvas(canvas.id, canvas.width, canvas.height, _painted(painting))
    return Page(id=url, name=name_from_url(url), index=0, width=width, height=height, source=url, canvas=placed)


def _painted(painting: Mapping[str, Json]) -> Box | None:
    """The part of the canvas that an image covers; None for all of it."""
    target = painting.get("target", painting.get("on"))
    for _, selector in targets(target) if target else ():
        area = area_of(selector)
        if isinstance(area, Fragment) and not area.percent:
            return Box(*area.values)
    return None


def first_choice(value: Json) -> Mapping[str, Json]:
    """The image in a body: itself, the first of a choice, or the source of a specific resource."""
    for _ in range(4):
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict) and plain_types(value) & {"Choice", "SpecificResource"}:
            value = next((value[key] for key in ("items", "default", "source", "full") if key in value), None)
    return value if isinstance(value, dict) else {}


def listed(value: Json) -> list[Json]:
    """A value as a list: none for nothing, one for what is no list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def unwrapped(value: Json) -> Json:
    """The value of a JSON literal of JSON-LD."""
    return value["@value"] if isinstance(value, dict) and "@value" in value else value
