"""YOLO data sets: a text file of relative coordinates for each image, and ``data.yaml`` with the class names.

A line is ``class x y width height`` (centre and size) for a box or ``class x1 y1 x2 y2 x3 y3 …`` for an outline, each
value a fraction of the image's width or height. One more value at the end of either is a score, as predictions
have it; trainers refuse it, so it is read and not written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath

import yaml

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.naming import Stems, image_name
from limner.annotations.formats.pixels import cut_to_page
from limner.annotations.formats.protocol import Feature, OutputFile, ParseContext
from limner.annotations.formats.reading import chosen, read_each, usable
from limner.annotations.masks import shape_to_polygons
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Point, Polygon, Ring, Shape, ring_area
from limner.core.errors import FormatError

#: Lists of class names, one a line, that labelling tools write in place of data.yaml.
_NAME_LISTS = frozenset({"classes.txt", "obj.names"})


class Yolo:
    """One text file a page under ``labels/``, and data.yaml; boxes, or outlines for segmentation."""

    media_type = "text/plain"
    per_page = True

    def __init__(self, name: str, title: str, holds: frozenset[Feature]) -> None:
        self.name = name
        self.title = title
        self.holds = holds

    def render(self, document: Document) -> Iterator[OutputFile]:
        """``data.yaml`` and a file for each page that did not fail. The document is gone through twice.

        Class numbers count the document's labels, sorted, from 0. Shapes are cut off at the page's edges.
        Raises `FormatError` for a page whose size is not known.
        """
        labels = {annotation.label for page in document.pages for annotation in page.annotations}
        classes = {label: number for number, label in enumerate(sorted(labels))}
        yield OutputFile(f"{self.name}/data.yaml", (_data_yaml(classes),))
        stems = Stems()
        for page in document.pages:
            if page.error is None:
                self._check(page)
                path = f"{self.name}/labels/{stems.of(page.page)}.txt"
                yield OutputFile(path, (self._line(annotation, page.page, classes) for annotation in page.annotations))

    def _check(self, annotated: AnnotatedPage) -> None:
        if annotated.annotations and not annotated.page.sized:
            raise FormatError(f"{self.title} needs the size of {annotated.page.name}, and it is not known.")

    def _line(self, annotation: Annotation, page: Page, classes: Mapping[str, int]) -> str:
        to_values = _outline_values if Feature.POLYGON in self.holds else _box_values
        values = to_values(annotation.shape, page)
        return " ".join((str(classes[annotation.label]), *map(_plain, values))) + "\n" if values else ""

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """The pages, boxes and outlines alike; a page whose image's size is not known is reported and left out."""
        names = _class_names(files, context)
        labels = {
            path: text
            for path, text in chosen(files, (".txt",), self.title).items()
            if PurePosixPath(path).name not in _NAME_LISTS
        }
        return read_each(labels, (".txt",), self.title, context, partial(_read, context, names))


def _data_yaml(classes: Mapping[str, int]) -> str:
    names = {number: label for label, number in classes.items()}
    content = {"path": ".", "train": "images", "val": "images", "nc": len(names), "names": names}
    out: str = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=math.inf)
    return out


def _plain(value: float) -> str:
    """Nine places: a thousandth of a pixel of the largest pages, without exponents."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _box_values(shape: Shape, page: Page) -> Sequence[float]:
    box = cut_to_page(shape.bounds, page)
    if box is None:
        return ()
    x, y = (box.x + box.x2) / 2, (box.y + box.y2) / 2
    return (x / page.width, y / page.height, box.width / page.width, box.height / page.height)


def _outline_values(shape: Shape, page: Page) -> Sequence[float]:
    if cut_to_page(shape.bounds, page) is None:
        return ()
    ring = joined_ring(shape_to_polygons(shape))
    return [
        min(max(value / limit, 0.0), 1.0)
        for point in ring
        for value, limit in zip(point, (page.width, page.height), strict=True)
    ]


def joined_ring(polygons: Iterable[Polygon]) -> Ring:
    """One closed line around several parts and their holes, joined by lines that lead there and back.

    Filled by the even-odd rule it covers what the polygons cover, as the lines between cancel out; holes
    run against the outer lines, so that the non-zero rule gives the same.
    """
    first, *others = (
        _turned(ring, clockwise=not place) for polygon in polygons for place, ring in enumerate(polygon.rings)
    )
    detours: dict[int, list[Point]] = {}
    for ring in others:
        start = _nearest(first, ring[0])
        detours.setdefault(start, []).extend((*ring, ring[0], first[start]))
    return tuple(point for place, corner in enumerate(first) for point in (corner, *detours.get(place, ())))


def _nearest(ring: Ring, point: Point) -> int:
    return min(range(len(ring)), key=lambda place: math.dist(ring[place], point))


def _turned(ring: Ring, *, clockwise: bool) -> Ring:
    return ring if (ring_area(ring) > 0) == clockwise else ring[::-1]


def _class_names(files: Mapping[str, str], context: ParseContext) -> dict[int, str]:
    """The names of the classes, as data.yaml or a list of names gives them; empty where there is neither."""
    for path, text in files.items():
        if path.lower().endswith((".yaml", ".yml")):
            names = usable(context, path, _yaml_names, text)
            if names is not None:
                return names
        elif PurePosixPath(path).name in _NAME_LISTS:
            return dict(enumerate(line.strip() for line in text.strip().split("\n")))
    context.problems.append("No data.yaml names the classes: they are called “class 0”, “class 1” and so on.")
    return {}


def _yaml_names(text: str) -> dict[int, str]:
    try:
        names = yaml.safe_load(text)["names"]
    except (yaml.YAMLError, RecursionError) as error:
        raise FormatError(f"it is no YAML: {error}.") from error
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    return {int(number): str(name) for number, name in pairs}


def _read(context: ParseContext, names: Mapping[int, str], path: str, text: str) -> Iterator[AnnotatedPage]:
    rows = [(number, line.split()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if rows and not any(_is_numeric(row) for _, row in rows):
        raise FormatError(f"{path} holds no line of numbers, as YOLO's labels do.")
    name, size = image_name(PurePosixPath(path).stem, context.size_of)
    if size is None:
        context.problems.append(f"{path} was passed over: the size of its image {name} is not known.")
        return
    found = (
        usable(context, f"{path}, line {number}", _annotation, row, names, size, str(place))
        for place, (number, row) in enumerate(rows, 1)
    )
    page = Page(id=name, name=name, index=0, width=size[0], height=size[1])
    yield AnnotatedPage(page, tuple(annotation for annotation in found if annotation))


def _is_numeric(row: Sequence[str]) -> bool:
    try:
        return bool([float(value) for value in row])
    except ValueError:
        return False


def _annotation(row: Sequence[str], names: Mapping[int, str], size: tuple[int, int], name: str) -> Annotation:
    number, *values = map(float, row)
    if not number.is_integer() or (names and int(number) not in names):
        raise FormatError(f"there is no class {row[0]}.")
    if len(values) < 4:
        raise FormatError(f"a box has four values after its class, not {len(values)}.")
    # Outlines have an even number of values, from six on, and so a score makes it odd; boxes have four, or five.
    scored = len(values) % 2 == 1
    shape_values = values[:-1] if scored else values
    return Annotation(
        id=name,
        shape=_box(shape_values, size) if len(shape_values) == 4 else _polygon(shape_values, size),
        label=names.get(int(number), f"class {int(number)}"),
        score=values[-1] if scored else None,
    )


def _box(values: Sequence[float], size: tuple[int, int]) -> Box:
    (x, y, width, height), (across, down) = values, size
    left, top = _pixels(x - width / 2, across), _pixels(y - height / 2, down)
    return Box(left, top, _pixels(width, across), _pixels(height, down))


def _polygon(values: Sequence[float], size: tuple[int, int]) -> Polygon:
    points = zip(values[::2], values[1::2], strict=True)
    return Polygon(tuple((_pixels(x, size[0]), _pixels(y, size[1])) for x, y in points))


def _pixels(share: float, length: int) -> float:
    """A fraction as pixels, to a thousandth: what was a whole number is one again."""
    return round(share * length, 3)


YOLO = Yolo("yolo", "YOLO", frozenset())
YOLO_SEG = Yolo("yolo-seg", "YOLO segments", frozenset({Feature.POLYGON}))
