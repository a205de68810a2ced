"""Annotations, pages and documents as plain JSON values, and back.

This is the form that is stored, sent over the API and written as JSON Lines. Keys that would hold
nothing are left out. ``docs/reference/json.md`` describes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from limner.annotations.annotation import Annotation, ByModel, ByPerson, Json, Provenance
from limner.annotations.document import AnnotatedPage
from limner.annotations.masks import mask_from_string, mask_to_string
from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box, Mask, Polygon, Ring, Shape
from limner.core.errors import FormatError, LimnerError, ShapeError

Plain = dict[str, Json]
T = TypeVar("T")


def number(value: float) -> int | float:
    """A whole number without its fraction, others to a thousandth: pixels need no more."""
    rounded = round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded


def _filled(values: Mapping[str, Any]) -> Plain:
    return {key: value for key, value in values.items() if value is not None and value != {}}


def box_to_plain(box: Box) -> list[Json]:
    """``[x, y, width, height]``; an extent below a thousandth of a pixel is not rounded away."""
    return [number(box.x), number(box.y), number(box.width) or box.width, number(box.height) or box.height]


def rounded_ring(ring: Ring) -> Ring:
    """A ring as it is written, its coordinates to a thousandth; one that would lose its area so is left as it is."""
    rounded = tuple((number(x), number(y)) for x, y in ring)
    try:
        Polygon(rounded)
    except ShapeError:
        return ring
    return rounded


def _ring(ring: Ring) -> list[Json]:
    return [[x, y] for x, y in rounded_ring(ring)]


def shape_to_plain(shape: Shape) -> Plain:
    """``{"box": [x, y, width, height]}``, ``{"polygon": …, "holes": …}`` or ``{"mask": …}``."""
    match shape:
        case Box():
            return {"box": box_to_plain(shape)}
        case Polygon():
            holes: list[Json] = [_ring(hole) for hole in shape.holes]
            return {"polygon": _ring(shape.exterior), **({"holes": holes} if holes else {})}
        case Mask():
            return {"mask": {"size": [shape.height, shape.width], "counts": mask_to_string(shape)}}


def shape_from_plain(plain: Mapping[str, Any]) -> Shape:
    """The shape; raises `FormatError` or `ShapeError`."""
    match plain:
        case {"box": [x, y, width, height]}:
            return Box(float(x), float(y), float(width), float(height))
        case {"polygon": list(exterior)}:
            return Polygon(_points(exterior), tuple(_points(hole) for hole in plain.get("holes", ())))
        case {"mask": {"size": [height, width], "counts": str(counts)}}:
            return mask_from_string(counts, int(width), int(height))
    raise FormatError(
        f"An annotation needs a box, a polygon or a mask, and this has only: {', '.join(plain) or 'nothing'}."
    )


def _points(ring: Sequence[Sequence[float]]) -> Ring:
    return tuple((float(x), float(y)) for x, y in ring)


def provenance_to_plain(provenance: Provenance | None) -> Plain | None:
    """``{"model": …, "version": …, "weights": …, "parameters": …}`` or ``{"person": …}``."""
    match provenance:
        case ByModel():
            return _filled(
                {
                    "model": provenance.name,
                    "version": provenance.version,
                    "weights": provenance.weights or None,
                    "parameters": dict(provenance.parameters),
                }
            )
        case ByPerson():
            return {"person": provenance.name}
        case None:
            return None


def provenance_from_plain(plain: Mapping[str, Any] | None) -> Provenance | None:
    """The provenance, or None."""
    match plain:
        case None:
            return None
        case {"person": str(name)}:
            return ByPerson(name)
        case {"model": str(name), "version": str(version)}:
            return ByModel(name, version, plain.get("weights", ""), plain.get("parameters", {}))
    raise FormatError("A provenance names a model and its version, or a person.")


def annotation_to_plain(annotation: Annotation) -> Plain:
    """One annotation."""
    return _filled(
        {
            "id": annotation.id,
            "label": annotation.label,
            **shape_to_plain(annotation.shape),
            "score": None if annotation.score is None else round(annotation.score, 5),
            "text": annotation.text,
            "attributes": dict(annotation.attributes),
            "provenance": provenance_to_plain(annotation.provenance),
        }
    )


def annotation_from_plain(plain: Mapping[str, Any]) -> Annotation:
    """One annotation; raises `FormatError` or `ShapeError` saying what is wrong."""
    return _reading(
        "An annotation",
        lambda: Annotation(
            shape=shape_from_plain(plain),
            label=_text(plain["label"], "label"),
            score=plain.get("score"),
            text=_text_or_none(plain, "text"),
            attributes=plain.get("attributes", {}),
            provenance=provenance_from_plain(plain.get("provenance")),
            **({"id": _text(plain["id"], "id")} if "id" in plain else {}),
        ),
    )


def page_to_plain(page: Page) -> Plain:
    """One page."""
    return _filled(
        {
            "id": page.id,
            "name": page.name,
            "index": page.index,
            "width": page.width,
            "height": page.height,
            "source": page.source or None,
            "label": page.label,
            "canvas": None if page.canvas is None else _canvas_to_plain(page.canvas),
        }
    )


def _canvas_to_plain(canvas: Canvas) -> Plain:
    target = canvas.target and shape_to_plain(canvas.target)["box"]
    return _filled({"id": canvas.id, "width": number(canvas.width), "height": number(canvas.height), "target": target})


def page_from_plain(plain: Mapping[str, Any]) -> Page:
    """One page; raises `FormatError` saying what is wrong."""
    return _reading("A page", lambda: _page(plain))


def _page(plain: Mapping[str, Any]) -> Page:
    canvas = plain.get("canvas")
    return Page(
        id=_text(plain["id"], "id"),
        name=_text(plain["name"], "name"),
        index=int(plain["index"]),
        width=int(plain.get("width", 0)),
        height=int(plain.get("height", 0)),
        source=_text(plain.get("source", ""), "source"),
        label=_text_or_none(plain, "label"),
        canvas=None if canvas is None else _canvas(canvas),
    )


def _canvas(plain: Mapping[str, Any]) -> Canvas:
    target = plain.get("target")
    return Canvas(plain["id"], plain["width"], plain["height"], None if target is None else Box(*target))


def annotated_page_to_plain(annotated: AnnotatedPage) -> Plain:
    """A page with its annotations: one line of JSON Lines."""
    annotations: list[Json] = [annotation_to_plain(annotation) for annotation in annotated.annotations]
    return _filled({"page": page_to_plain(annotated.page), "annotations": annotations, "error": annotated.error})


def annotated_page_from_plain(plain: Mapping[str, Any]) -> AnnotatedPage:
    """A page with its annotations; raises `FormatError` or `ShapeError` saying what is wrong."""
    return _reading(
        "A line",
        lambda: AnnotatedPage(
            page_from_plain(plain["page"]),
            tuple(annotation_from_plain(annotation) for annotation in plain.get("annotations", ())),
            _text_or_none(plain, "error"),
        ),
    )


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise FormatError(f"{key!r} is no text but {value!r}.")
    return value


def _text_or_none(plain: Mapping[str, Any], key: str) -> str | None:
    return None if plain.get(key) is None else _text(plain[key], key)


def _reading(what: str, read: Callable[[], T]) -> T:
    """Turn what Python raises at wrong values into one error that says where it was."""
    try:
        return read()
    except LimnerError:
        raise
    except KeyError as error:
        raise FormatError(f"{what} lacks {error.args[0]!r}.") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FormatError(f"{what} cannot be read: {error}") from error
