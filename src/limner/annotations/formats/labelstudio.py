"""Label Studio: a JSON list of tasks, one for each page.

Rectangles, polygons and brush strokes; coordinates are percent of the image from its top left. Several results
with one id describe one region: its shape, its label, the text written there. Polygons with holes are
stored as brush strokes. Attributes and provenance stand in ``meta``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from limner.annotations.annotation import Annotation, ByModel, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.brush import decode_brush, encode_brush
from limner.annotations.formats.protocol import Feature, OutputFile, ParseContext
from limner.annotations.formats.reading import json_value, known_size, pixels_of, read_each, usable, with_own_ids
from limner.annotations.masks import mask_from_array, shape_to_array
from limner.annotations.page import Page
from limner.annotations.serial import provenance_from_plain, provenance_to_plain
from limner.annotations.shapes import Box, Mask, Point, Polygon, Shape
from limner.core.errors import FormatError

#: Eight characters and a hyphen are put before the names of files that are uploaded.
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
#: The label of regions that have text and no label.
_TEXT_LABEL = "text"
#: What a result's label is listed under, by the type of its tag.
_LABEL_KEYS = ("rectanglelabels", "polygonlabels", "brushlabels", "ellipselabels", "labels")


class LabelStudio:
    """One JSON file a document."""

    name = "labelstudio"
    title = "Label Studio"
    media_type = "application/json"
    per_page = False
    holds = frozenset(Feature)

    def render(self, document: Document) -> Iterator[OutputFile]:
        """One file to import. Raises `FormatError` at an annotated page whose size is not known.

        What a model found alone is a prediction; a page that a person worked on is an annotation.
        """
        yield OutputFile("labelstudio.json", _chunks(document))

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """The pages: of each task the latest annotation, or its predictions where there is none."""
        return read_each(files, (".json",), self.title, context, partial(_read, context))


def _chunks(document: Document) -> Iterator[str]:
    yield "[\n"
    for place, page in enumerate(document.pages):
        yield f"{',' if place else ''}{json.dumps(_task(page), ensure_ascii=False, separators=(',', ':'))}\n"
    yield "]\n"


def _task(annotated: AnnotatedPage) -> dict[str, Json]:
    page = annotated.page
    url = page.source if urlsplit(page.source).scheme in ("http", "https") else page.name
    data: dict[str, Json] = {"image": url, "file_name": page.name}
    if annotated.error:
        data["error"] = annotated.error
    results: list[Json] = [result for annotation in annotated.annotations for result in _results(annotation, page)]
    if not results:
        return {"data": data}
    makers = [annotation.provenance for annotation in annotated.annotations]
    versions = {f"{maker.name}@{maker.version}" for maker in makers if isinstance(maker, ByModel)}
    if all(isinstance(maker, ByModel) for maker in makers):
        return {"data": data, "predictions": [{"model_version": ", ".join(sorted(versions)), "result": results}]}
    return {"data": data, "annotations": [{"result": results}]}


def _results(annotation: Annotation, page: Page) -> Iterator[dict[str, Json]]:
    """The results of one region: its shape with the label, and its text."""
    if not page.sized:
        raise FormatError(f"Label Studio needs the size of {page.name}, and it is not known.")
    head: dict[str, Json] = {
        "id": annotation.id,
        "to_name": "image",
        "original_width": page.width,
        "original_height": page.height,
        "image_rotation": 0,
    }
    tag, kind, value = shape_value(annotation.shape, page)
    result: dict[str, Json] = {**head, "from_name": tag, "type": kind, "value": {**value, kind: [annotation.label]}}
    if annotation.score is not None:
        result["score"] = round(annotation.score, 5)
    meta: dict[str, Json] = {}
    if annotation.attributes:
        meta["attributes"] = dict(annotation.attributes)
    if annotation.provenance is not None:
        meta["provenance"] = provenance_to_plain(annotation.provenance)
    yield result | ({"meta": meta} if meta else {})
    if annotation.text is not None:
        where = {key: part for key, part in value.items() if key not in ("rle", "format")}
        yield {**head, "from_name": "text", "type": "textarea", "value": {**where, "text": [annotation.text]}}


def shape_value(shape: Shape, page: Page) -> tuple[str, str, dict[str, Json]]:
    """Name of the tag that we give a shape, its type, and the coordinates in percent of a page whose size is known."""
    width, height = page.width, page.height
    match shape:
        case Box():
            x, w = (100 * value / width for value in (shape.x, shape.width))
            y, h = (100 * value / height for value in (shape.y, shape.height))
            return "label", "rectanglelabels", {"x": x, "y": y, "width": w, "height": h, "rotation": 0}
        case Polygon(exterior=exterior, holes=()):
            points: list[Json] = [[100 * x / width, 100 * y / height] for x, y in exterior]
            return "polygon", "polygonlabels", {"points": points, "closed": True}
    rle: list[Json] = [*encode_brush(shape_to_array(shape, width, height))]
    return "brush", "brushlabels", {"format": "rle", "rle": rle}


def _read(context: ParseContext, path: str, text: str) -> Iterator[AnnotatedPage]:
    tasks = json_value(path, text)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise FormatError(f"{path} is no list of Label Studio tasks.")
    if tasks and not any(isinstance(task.get("data"), dict) for task in tasks):
        raise FormatError(f"{path} holds no Label Studio task: none has the key 'data'.")
    for place, task in enumerate(tasks, 1):
        where = f"{path}, task {task.get('id', place)}"
        page = usable(context, where, _page, task, where, context)
        if page:
            yield page


def _page(task: dict[str, Any], where: str, context: ParseContext) -> AnnotatedPage:
    data, results = task["data"], _latest(task, where, context)
    url = _address(data)
    name = _file_name(data, url) or f"task-{task.get('id', 'without-id')}"
    said = next((result for result in results if result.get("original_width")), {})
    width, height = known_size(context, name, said.get("original_width"), said.get("original_height"))
    source = url if urlsplit(url).scheme in ("http", "https") else ""
    page = Page(id=name, name=name, index=0, width=width, height=height, source=source)
    found = (
        usable(context, f"{where}, region {region}", _annotation, region, parts, page)
        for region, parts in _regions(results).items()
    )
    error = data.get("error")
    kept = with_own_ids(annotation for annotation in found if annotation)
    return AnnotatedPage(page, kept, error if isinstance(error, str) else None)


def _latest(task: dict[str, Any], where: str, context: ParseContext) -> list[dict[str, Any]]:
    """The results of the newest annotation that was not cancelled, or else of the newest prediction."""
    made = [each for each in task.get("annotations") or () if not each.get("was_cancelled") and not each.get("skipped")]
    made = made or list(task.get("predictions") or ())
    if not made:
        return []
    if len(made) > 1:
        context.problems.append(f"{where} has {len(made)} versions; the newest was taken.")
    newest = max(made, key=lambda each: str(each.get("updated_at") or each.get("created_at") or ""))
    return [result for result in newest["result"] if isinstance(result, dict)]


def _address(data: Mapping[str, Any]) -> str:
    """Where the image is: under ``image``, or under the first key with a text."""
    texts = [value for key, value in data.items() if isinstance(value, str) and key != "file_name"]
    image = data.get("image")
    return image if isinstance(image, str) else texts[0] if texts else ""


def _file_name(data: Mapping[str, Any], url: str) -> str:
    """The name of the image's file, as we wrote it or as its address ends; empty where there is none."""
    if isinstance(data.get("file_name"), str):
        return str(data["file_name"])
    parts = urlsplit(url)
    if parts.scheme == "data":
        return ""
    # Files that the server reads from its disk are named in a parameter.
    path = unquote(parse_qs(parts.query).get("d", [parts.path])[0])
    name = path.rpartition("/")[2]
    return _UPLOAD.sub("", name) if "/upload/" in path else name


def _regions(results: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The results that belong together; one without id stands alone."""
    regions: dict[str, list[dict[str, Any]]] = {}
    for place, result in enumerate(results, 1):
        regions.setdefault(str(result.get("id") or f"result-{place}"), []).append(result)
    return regions


def _annotation(region: str, results: Sequence[dict[str, Any]], page: Page) -> Annotation:
    values = [value for result in results if isinstance(value := result.get("value"), dict)]
    labels = [str(label) for value in values for key in _LABEL_KEYS for label in value.get(key, ())]
    texts = [value["text"] for value in values if "text" in value]
    attributes = dict(_attributes(results))
    if len(labels) > 1:
        attributes["more_labels"] = [*labels[1:]]
    meta: dict[str, Any] = next((result["meta"] for result in results if isinstance(result.get("meta"), dict)), {})
    return Annotation(
        id=region,
        shape=_shape(results, page),
        label=labels[0] if labels else _TEXT_LABEL if texts else "",
        score=next((result["score"] for result in results if result.get("score") is not None), None),
        text=_joined(texts[0]) if texts else None,
        attributes=attributes | dict(meta.get("attributes") or {}),
        provenance=provenance_from_plain(meta.get("provenance")),
    )


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "\n".join(text)


def _attributes(results: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Json]]:
    """What was chosen, rated or counted for a region, by the name of its tag."""
    for result in results:
        kind, value = result.get("type"), result.get("value")
        if kind in ("choices", "rating", "number", "taxonomy", "datetime") and isinstance(value, dict):
            yield str(result.get("from_name") or kind), value.get(kind)


def _shape(results: Sequence[dict[str, Any]], page: Page) -> Shape:
    """The shape of a region, which several of its results may repeat."""
    for result in results:
        value = result.get("value")
        if result.get("image_rotation"):
            raise FormatError("it was drawn on an image that had been turned.")
        if isinstance(value, dict) and (shape := _geometry(value, page)):
            return shape
    kinds = ", ".join(sorted({str(result.get("type")) for result in results}))
    raise FormatError(f"there is no area in {kinds}.")


def _geometry(value: Mapping[str, Any], page: Page) -> Shape | None:
    width, height = pixels_of(page.width, page.height)

    def pixels(x: float, y: float) -> Point:
        """To a thousandth: what was a whole number is one again."""
        return (round(x * width / 100, 3), round(y * height / 100, 3))

    match value:
        case {"rle": rle}:
            return _brush(rle, width, height)
        case {"points": points}:
            return Polygon(tuple(pixels(x, y) for x, y in points))
        case {"x": x, "y": y, "width": w, "height": h}:
            return _rectangle(pixels(x, y), pixels(w, h), value.get("rotation") or 0)
        case {"x": x, "y": y, "radiusX": rx, "radiusY": ry}:
            return _ellipse(pixels(x, y), pixels(rx, ry), value.get("rotation") or 0)
    return None


def _brush(rle: Iterable[int], width: int, height: int) -> Mask:
    return mask_from_array(decode_brush(rle, width, height))


def _rectangle(corner: Point, size: Point, degrees: float) -> Shape:
    """A box, or the polygon that it becomes when it is turned clockwise around its top left corner."""
    if not degrees:
        return Box(*corner, *size)
    return _turned(((0, 0), (size[0], 0), size, (0, size[1])), corner, degrees)


def _ellipse(centre: Point, radii: Point, degrees: float) -> Polygon:
    """A polygon with 64 corners on the ellipse."""
    turns = [2 * math.pi * place / 64 for place in range(64)]
    return _turned([(radii[0] * math.cos(turn), radii[1] * math.sin(turn)) for turn in turns], centre, degrees)


def _turned(offsets: Iterable[Point], around: Point, degrees: float) -> Polygon:
    """The polygon of some points given from a place, turned around it, clockwise on screen."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return Polygon(tuple((around[0] + x * cos - y * sin, around[1] + x * sin + y * cos) for x, y in offsets))


LABELSTUDIO = LabelStudio()
