"""labelme: a JSON file for each image, with polygons, rectangles and masks.

The image is named and not embedded. A mask is cut to its bounds and stored as a PNG in base64; a polygon with
holes is stored as a mask too, as labelme has no holes. Text is the ``description``; score, attributes and provenance
are keys that labelme keeps without showing them.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.naming import Stems
from limner.annotations.formats.protocol import Feature, OutputFile, ParseContext
from limner.annotations.formats.reading import json_object, known_size, pixels_of, read_each, usable
from limner.annotations.masks import Bits, mask_from_array, mask_to_array, polygons_to_array
from limner.annotations.page import Page
from limner.annotations.serial import number, provenance_from_plain, provenance_to_plain, rounded_ring
from limner.annotations.shapes import Box, Mask, Point, Polygon, Shape
from limner.core.errors import FormatError

#: The version of the file format that is written.
_VERSION = "5.5.0"
#: Keys of a shape that have a place in the domain or say nothing; others become attributes.
_KEYS = frozenset(
    {"label", "points", "shape_type", "description", "mask", "line_color", "fill_color"}
    | {"score", "attributes", "provenance"}
)
#: How far the straight sides of a circle may lie inside it, pixels.
_SAGITTA = 0.25
#: Half the angle that a side of a circle covers at least, radians: circles get 630 corners at most.
_LEAST_TURN = 0.005


class Labelme:
    """One JSON file a page."""

    name = "labelme"
    title = "labelme"
    media_type = "application/json"
    per_page = True
    holds = frozenset(Feature) - {Feature.ERROR}

    def render(self, document: Document) -> Iterator[OutputFile]:
        """A file for each page that did not fail, to be put beside its image."""
        stems = Stems()
        for page in document.pages:
            if page.error is None:
                yield OutputFile(f"{self.name}/{stems.of(page.page)}.json", (_file(page),))

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """A page for each file; points and lines have no area and are reported."""
        return read_each(files, (".json",), self.title, context, partial(_read, context))


def _file(annotated: AnnotatedPage) -> str:
    page = annotated.page
    plain: dict[str, Json] = {
        "version": _VERSION,
        "flags": {},
        "shapes": [_shape_to_plain(annotation) for annotation in annotated.annotations],
        "imagePath": page.name,
        "imageData": None,
        "imageHeight": page.height or None,
        "imageWidth": page.width or None,
    }
    return json.dumps(plain, ensure_ascii=False, indent=2) + "\n"


def _shape_to_plain(annotation: Annotation) -> dict[str, Json]:
    attributes = dict(annotation.attributes)
    plain: dict[str, Json] = {
        "label": annotation.label,
        **_geometry(annotation.shape),
        "group_id": _taken(attributes, "group_id", _is_group),
        "description": annotation.text or "",
        "flags": _taken(attributes, "flags", _are_flags) or {},
    }
    if annotation.score is not None:
        plain["score"] = round(annotation.score, 5)
    if attributes:
        plain["attributes"] = attributes
    if annotation.provenance is not None:
        plain["provenance"] = provenance_to_plain(annotation.provenance)
    return plain


def _taken(attributes: dict[str, Json], key: str, fits: Callable[[Json], bool]) -> Json:
    """An attribute that has a key of its own in labelme, taken out; None where its value does not fit there."""
    return attributes.pop(key) if key in attributes and fits(attributes[key]) else None


def _is_group(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_flags(value: Json) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(flag, bool) for flag in value.values())


def _geometry(shape: Shape) -> dict[str, Json]:
    match shape:
        case Box():
            corners = (number(shape.x), number(shape.y)), (number(shape.x2), number(shape.y2))
            return _points("rectangle", corners)
        case Polygon(exterior=exterior, holes=()):
            return _points("polygon", rounded_ring(exterior))
        case Polygon():
            return _holed(shape)
        case Mask():
            return _mask_to_plain(mask_to_array(shape), 0, 0)


def _points(shape_type: str, points: Sequence[Point], mask: str | None = None) -> dict[str, Json]:
    return {"points": [[x, y] for x, y in points], "shape_type": shape_type, "mask": mask}


def _holed(polygon: Polygon) -> dict[str, Json]:
    box = polygon.bounds
    left, top = max(0, math.floor(box.x)), max(0, math.floor(box.y))
    width, height = max(1, math.ceil(box.x2) - left), max(1, math.ceil(box.y2) - top)
    bits = polygons_to_array((polygon.translated(-left, -top),), width, height)
    return _mask_to_plain(bits, left, top) if bits.any() else _points("polygon", rounded_ring(polygon.exterior))


def _mask_to_plain(bits: Bits, left: int, top: int) -> dict[str, Json]:
    """The part that holds the mask's pixels; both points are pixels that belong to it."""
    rows, columns = np.flatnonzero(bits.any(axis=1)), np.flatnonzero(bits.any(axis=0))
    (y1, y2), (x1, x2) = (rows[0], rows[-1]), (columns[0], columns[-1])
    out = io.BytesIO()
    Image.fromarray(bits[y1 : y2 + 1, x1 : x2 + 1].astype(np.uint8)).save(out, format="PNG")
    points = ((int(x1) + left, int(y1) + top), (int(x2) + left, int(y2) + top))
    return _points("mask", points, base64.b64encode(out.getvalue()).decode("ascii"))


def _read(context: ParseContext, path: str, text: str) -> Iterator[AnnotatedPage]:
    plain = json_object(path, text, ("shapes", "imagePath"))
    if not isinstance(plain["shapes"], list):
        raise FormatError(f"{path} is no labelme file: 'shapes' is no list.")
    name = str(plain["imagePath"]).replace("\\", "/").rpartition("/")[2]
    if not name:
        raise FormatError(f"{path} does not say which image it belongs to.")
    width, height = known_size(context, name, plain.get("imageWidth"), plain.get("imageHeight"))
    page = Page(id=name, name=name, index=0, width=width, height=height)
    found = (
        usable(context, f"{path}, shape {place}", _annotation, shape, page, str(place))
        for place, shape in enumerate(plain["shapes"], 1)
    )
    yield AnnotatedPage(page, tuple(annotation for annotation in found if annotation))


def _annotation(plain: dict[str, Any], page: Page, name: str) -> Annotation:
    others = {key: value for key, value in plain.items() if key not in _KEYS and value not in (None, {})}
    return Annotation(
        id=name,
        shape=_shape(plain, page),
        label=str(plain["label"]),
        score=plain.get("score"),
        text=plain.get("description") or None,
        attributes=others | dict(plain.get("attributes") or {}),
        provenance=provenance_from_plain(plain.get("provenance")),
    )


def _shape(plain: dict[str, Any], page: Page) -> Shape:
    points = [(float(x), float(y)) for x, y in plain["points"]]
    kind = plain.get("shape_type") or "polygon"
    if kind in ("polygon", "oriented_rectangle"):
        return Polygon(tuple(points))
    if kind == "mask":
        return _mask(plain["mask"], points[0], page)
    if kind in ("rectangle", "circle"):
        (x1, y1), (x2, y2) = points
        return Box.from_corners(x1, y1, x2, y2) if kind == "rectangle" else _circle((x1, y1), (x2, y2))
    raise FormatError(f"a {kind} has no area.")


def _circle(centre: Point, rim: Point) -> Polygon:
    """A circle as a polygon with corners on it, so many that no side lies further inside than `_SAGITTA`."""
    (x, y), radius = centre, math.dist(centre, rim)
    if not 0 < radius < math.inf:
        raise FormatError("a circle has no radius.")
    half_a_side = max(math.acos(max(0.0, 1 - _SAGITTA / radius)), _LEAST_TURN)
    corners = max(8, math.ceil(math.pi / half_a_side))
    turns = (2 * math.pi * place / corners for place in range(corners))
    return Polygon(tuple((x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns))


def _mask(encoded: str, corner: Point, page: Page) -> Mask:
    """The mask at its place in the whole image; what sticks out is cut off."""
    width, height = pixels_of(page.width, page.height)
    left, top = int(corner[0]), int(corner[1])
    if left < 0 or top < 0:
        raise FormatError("the mask begins outside of its image.")
    inside = np.zeros((height, width), dtype=bool)
    part = _decoded(encoded, (width, height))[: height - top, : width - left]
    inside[top : top + part.shape[0], left : left + part.shape[1]] = part
    return mask_from_array(inside)


def _decoded(encoded: str, most: tuple[int, int]) -> Bits:
    try:
        with Image.open(io.BytesIO(base64.b64decode(encoded)), formats=("PNG",)) as image:
            if image.width > most[0] + 1 or image.height > most[1] + 1:
                raise FormatError("the mask is larger than its image.")
            pixels = np.asarray(image)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise FormatError(f"the mask is no PNG: {error}.") from error
    if pixels.ndim != 2:
        raise FormatError(f"the mask has {pixels.shape[-1]} channels, not one.")
    return pixels.astype(bool)


LABELME = Labelme()
