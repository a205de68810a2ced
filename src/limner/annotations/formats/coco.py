"""COCO instances: one JSON file with images, categories and annotations.

Polygons are `segmentation` lists, masks and polygons with holes compressed run lengths of the whole
image (a hole cannot be said with polygons), boxes have an empty `segmentation`. What COCO has no key for
stands under keys of our own, which its tools pass over: ``score``, ``text``, ``attributes``, ``provenance``.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, TypeAlias

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import Feature, OutputFile, ParseContext
from limner.annotations.formats.reading import json_object, known_size, pixels_of, read_each, usable, with_own_ids
from limner.annotations.masks import mask_from_array, mask_from_string, mask_to_string, polygons_to_array
from limner.annotations.page import Page
from limner.annotations.serial import box_to_plain, number, provenance_from_plain, provenance_to_plain, rounded_ring
from limner.annotations.shapes import Box, Mask, Polygon, Shape
from limner.core.errors import FormatError, ShapeError

#: Keys of an annotation that have a place in the domain; others become attributes.
_KEYS = frozenset(
    {"id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd"}
    | {"score", "text", "attributes", "provenance"}
)
#: What images and categories are told apart by.
Id: TypeAlias = int | str | None


class Coco:
    """One JSON file a document."""

    name = "coco"
    title = "COCO"
    media_type = "application/json"
    per_page = False
    holds = frozenset(Feature)

    def render(self, document: Document) -> Iterator[OutputFile]:
        """One file. The document is gone through twice; category ids count its labels, sorted, from 1."""
        yield OutputFile("coco.json", _chunks(document))

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """The pages of all files."""
        return read_each(files, (".json",), self.title, context, partial(_read, context))


def _chunks(document: Document) -> Iterator[str]:
    licences: list[Json] = [{"id": 1, "name": document.rights, "url": document.rights}] if document.rights else []
    info: Json = {"description": document.title, "document": document.id}
    yield f'{{"info":{_json(info)},"licenses":{_json(licences)},"images":[\n'
    labels: set[str] = set()
    yield from _joined(_images(document, labels))
    categories = {label: place for place, label in enumerate(sorted(labels), 1)}
    entries: list[Json] = [{"id": place, "name": label, "supercategory": ""} for label, place in categories.items()]
    yield f'],"categories":{_json(entries)},"annotations":[\n'
    yield from _joined(_annotations(document, categories))
    yield "]}\n"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _joined(entries: Iterable[Json]) -> Iterator[str]:
    """The entries as JSON, a line each, commas between."""
    for place, entry in enumerate(entries):
        yield f"{',' if place else ''}{_json(entry)}\n"


def _images(document: Document, labels: set[str]) -> Iterator[Json]:
    """The images, with ids from 1; gathers the labels on the way."""
    for image_id, annotated in enumerate(document.pages, 1):
        labels.update(annotation.label for annotation in annotated.annotations)
        page = annotated.page
        yield {
            "id": image_id,
            "file_name": page.name,
            "width": page.width,
            "height": page.height,
            **({"license": 1} if document.rights else {}),
            **({"error": annotated.error} if annotated.error else {}),
        }


def _annotations(document: Document, categories: Mapping[str, int]) -> Iterator[Json]:
    ids = count(1)
    for image_id, annotated in enumerate(document.pages, 1):
        for annotation in annotated.annotations:
            head: dict[str, Json] = {
                "id": next(ids),
                "image_id": image_id,
                "category_id": categories[annotation.label],
            }
            yield head | _geometry(annotation.shape, annotated.page) | _extras(annotation)


def _geometry(shape: Shape, page: Page) -> dict[str, Json]:
    drawn = _pixels(shape, page) if isinstance(shape, Polygon) and shape.holes else shape
    return {
        "bbox": box_to_plain(shape.bounds),
        "area": number(drawn.area),
        "segmentation": _segmentation(drawn),
    }


def _pixels(polygon: Polygon, page: Page) -> Shape:
    """A polygon with holes as a mask; without its holes where that mask would have no pixel."""
    box = polygon.bounds
    width, height = (page.width, page.height) if page.sized else (math.ceil(box.x2), math.ceil(box.y2))
    try:
        return mask_from_array(polygons_to_array((polygon,), width, height))
    except ShapeError:
        return Polygon(polygon.exterior)


def _segmentation(shape: Shape) -> Json:
    match shape:
        case Box():
            return []
        case Polygon():
            return [[value for point in rounded_ring(shape.exterior) for value in point]]
        case Mask():
            return {"size": [shape.height, shape.width], "counts": mask_to_string(shape)}


def _extras(annotation: Annotation) -> dict[str, Json]:
    attributes = dict(annotation.attributes)
    extras: dict[str, Json] = {"iscrowd": 1 if attributes.pop("iscrowd", 0) == 1 else 0}
    if annotation.score is not None:
        extras["score"] = round(annotation.score, 5)
    if annotation.text is not None:
        extras["text"] = annotation.text
    if attributes:
        extras["attributes"] = attributes
    if annotation.provenance is not None:
        extras["provenance"] = provenance_to_plain(annotation.provenance)
    return extras


@dataclass(frozen=True, slots=True)
class _File:
    """What is needed of a file to read its annotations."""

    path: str
    labels: Mapping[Id, str]
    by_image: Mapping[Id, list[dict[str, Any]]]
    context: ParseContext


def _read(context: ParseContext, path: str, text: str) -> Iterator[AnnotatedPage]:
    plain = json_object(path, text, ("images", "annotations", "categories"))
    for key in ("images", "annotations", "categories"):
        if not isinstance(plain[key], list) or not all(isinstance(entry, dict) for entry in plain[key]):
            raise FormatError(f"{path} is no COCO file: {key!r} is no list of objects.")
    file = _File(path, _labels(plain["categories"]), _by_image(plain["annotations"]), context)
    known: set[Id] = set()
    for image in plain["images"]:
        image_id = _id(image, "id")
        known.add(image_id)
        page = usable(context, f"{path}, image {image_id}", _page, image, context)
        if page:
            error = image.get("error")
            yield AnnotatedPage(
                page, with_own_ids(_found(file, page, image_id)), error if isinstance(error, str) else None
            )
    for image_id in file.by_image.keys() - known:
        lost = len(file.by_image[image_id])
        context.problems.append(f"{path}: {lost} annotations of the unknown image {image_id} were passed over.")


def _labels(categories: Iterable[dict[str, Any]]) -> dict[Id, str]:
    return {_id(entry, "id"): str(entry["name"]) for entry in categories if entry.get("name")}


def _by_image(entries: Iterable[dict[str, Any]]) -> dict[Id, list[dict[str, Any]]]:
    grouped: dict[Id, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        grouped[_id(entry, "image_id")].append(entry)
    return grouped


def _id(entry: Mapping[str, Any], key: str) -> Id:
    value = entry.get(key)
    return value if isinstance(value, int | str) else None


def _page(image: Mapping[str, Any], context: ParseContext) -> Page:
    name = str(image["file_name"])
    width, height = known_size(context, name, image.get("width"), image.get("height"))
    source = image.get("coco_url")
    return Page(
        id=name, name=name, index=0, width=width, height=height, source=source if isinstance(source, str) else ""
    )


def _found(file: _File, page: Page, image_id: Id) -> Iterator[Annotation]:
    for entry in file.by_image.get(image_id, ()):
        where = f"{file.path}, annotation {entry.get('id')} of {page.name}"
        annotation = usable(file.context, where, _annotation, entry, file, page, where)
        if annotation:
            yield annotation


def _annotation(entry: dict[str, Any], file: _File, page: Page, where: str) -> Annotation:
    category = _id(entry, "category_id")
    if category not in file.labels:
        raise FormatError(f"there is no category {category}.")
    others = {key: value for key, value in entry.items() if key not in _KEYS}
    crowd = {"iscrowd": 1} if entry.get("iscrowd") == 1 else {}
    return Annotation(
        id=str(entry["id"]),
        shape=_shape(entry, page, file.context, where),
        label=file.labels[category],
        score=entry.get("score"),
        text=None if entry.get("text") is None else str(entry["text"]),
        attributes=others | dict(entry.get("attributes") or {}) | crowd,
        provenance=provenance_from_plain(entry.get("provenance")),
    )


def _shape(entry: dict[str, Any], page: Page, context: ParseContext, where: str) -> Shape:
    """The segmentation, or else the box."""
    segmentation = entry.get("segmentation")
    if isinstance(segmentation, dict):
        shape: Shape | None = usable(context, f"{where}: its mask", _mask, segmentation, page)
    elif segmentation:
        shape = usable(context, f"{where}: its outline", _outline, segmentation, page, context, where)
    else:
        shape = None
    return shape or Box(*map(float, entry["bbox"]))


def _mask(rle: dict[str, Any], page: Page) -> Mask:
    """The mask behind run lengths, compressed (text) or plain (a list)."""
    (height, width), counts = rle["size"], rle["counts"]
    if page.sized and (width, height) != (page.width, page.height):
        raise FormatError(f"it is {width} × {height} pixels, its image {page.width} × {page.height}.")
    return mask_from_string(counts, width, height) if isinstance(counts, str) else Mask(width, height, tuple(counts))


def _outline(parts: list[list[float]], page: Page, context: ParseContext, where: str) -> Shape:
    """A polygon; several make one mask, as they are one thing together."""
    tried = (usable(context, f"{where}, part {place}", _polygon, part) for place, part in enumerate(parts, 1))
    polygons = [polygon for polygon in tried if polygon]
    if not polygons:
        raise FormatError("none of its parts is a polygon.")
    if len(polygons) == 1:
        return polygons[0]
    width, height = pixels_of(page.width, page.height)
    return mask_from_array(polygons_to_array(polygons, width, height))


def _polygon(flat: list[float]) -> Polygon:
    if len(flat) % 2:
        raise FormatError(f"it has {len(flat)} numbers, so one of its points has no y.")
    return Polygon(tuple(zip(flat[::2], flat[1::2], strict=True)))


COCO = Coco()
