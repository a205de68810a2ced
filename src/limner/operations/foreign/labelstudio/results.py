"""What was found, as Label Studio's results: regions in percent of the image, under the names of its own tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.labelstudio import shape_value
from limner.annotations.formats.reading_order import MASK_TOLERANCE
from limner.annotations.formats.text import page_text
from limner.annotations.masks import mask_from_array, shape_to_array, shape_to_polygons, simplified
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Mask, Polygon, Shape
from limner.operations.foreign.labelstudio.config import Control, LabelConfig

_RECTANGLES = ("rectanglelabels", "rectangle")
_POLYGONS = ("polygonlabels", "polygon")
_BRUSHES = ("brushlabels", "brush")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model found on the image of a task."""

    model_version: str
    #: Mean of the scores, 0 to 1; 0 where nothing was found.
    score: float
    result: list[Json]
    #: Why nothing could be found, where something went wrong or is still under way.
    error: str | None = None

    def plain(self) -> dict[str, Json]:
        """As Label Studio reads it."""
        out: dict[str, Json] = {"model_version": self.model_version, "score": self.score, "result": self.result}
        return out | ({"error": self.error} if self.error else {})


def prediction(
    found: AnnotatedPage, config: LabelConfig, model_version: str, model_labels: Sequence[str]
) -> Prediction:
    """The prediction for a page whose size is known, by a model that knows some labels."""
    result = list(_results(found, config, model_labels))
    scores = [each.score for each in found.annotations if each.score is not None] if result else []
    return Prediction(model_version, round(sum(scores) / len(scores), 5) if scores else 0.0, result)


def label_for(label: str, control: Control, model_labels: Sequence[str]) -> str | None:
    """What a control calls a model's label; None where it has none like it.

    Where a control knows none of the model's labels, its only one stands for all of them; of several none can be
    chosen, and people see the model's own.
    """
    if not control.labels:
        return label
    if meant := control.meant.get(label.lower()):
        return meant
    if any(each.lower() in control.meant for each in model_labels):
        return None
    return control.labels[0] if len(control.labels) == 1 else label


def _results(found: AnnotatedPage, config: LabelConfig, model_labels: Sequence[str]) -> Iterator[Json]:
    numbers = count(1)
    drawn = config.first((*_RECTANGLES, *_POLYGONS, *_BRUSHES))
    if drawn is None:
        yield from _whole_text(found, config)
        return
    for annotation in found.annotations:
        control, shapes = _fitting(annotation.shape, config, found.page)
        named = control if control.kind.endswith("labels") else config.controls.get("labels")
        label = label_for(annotation.label, named, model_labels) if named else annotation.label
        if label is None:
            continue
        for shape in shapes:
            region = _Region(f"limner-{next(numbers)}", control, named, label)
            yield from region.results(replace(annotation, shape=shape), config, found.page)


def _whole_text(found: AnnotatedPage, config: LabelConfig) -> Iterator[Json]:
    """All that is written on the image, where there is a field for text and no tag to draw with."""
    control, text = config.controls.get("textarea"), page_text(found).strip("\n")
    if control is not None and text:
        where: dict[str, Json] = {"from_name": control.name, "to_name": config.image}
        yield {"id": "limner-1", **where, "type": "textarea", "value": {"text": [text]}}


@dataclass(frozen=True, slots=True)
class _Region:
    """A region: several results with one id, one for each tag that says something of it."""

    id: str
    drawn: Control
    named: Control | None
    label: str

    def results(self, annotation: Annotation, config: LabelConfig, page: Page) -> Iterator[Json]:
        _, _, value = shape_value(annotation.shape, page)
        where: dict[str, Json] = {key: part for key, part in value.items() if key not in ("rle", "format")}
        head: dict[str, Json] = {"id": self.id, "to_name": config.image}
        head |= {"original_width": page.width, "original_height": page.height, "image_rotation": 0}
        if annotation.score is not None:
            head["score"] = round(annotation.score, 5)
        shown: dict[str, Json] = {**value, self.drawn.kind: [self.label]} if self.named is self.drawn else value
        yield {**head, "from_name": self.drawn.name, "type": self.drawn.kind, "value": shown}
        if self.named is not None and self.named is not self.drawn:
            labelled: dict[str, Json] = {**where, "labels": [self.label]}
            yield {**head, "from_name": self.named.name, "type": "labels", "value": labelled}
        text = config.controls.get("textarea")
        if text is not None and annotation.text:
            written: dict[str, Json] = {**where, "text": [annotation.text]}
            yield {**head, "from_name": text.name, "type": "textarea", "value": written}


def _fitting(shape: Shape, config: LabelConfig, page: Page) -> tuple[Control, list[Shape]]:
    """The control that can hold most of a shape, and what the shape becomes there: a mask may be several polygons."""
    kinds = _BRUSHES if isinstance(shape, Mask) or (isinstance(shape, Polygon) and shape.holes) else _POLYGONS
    first = _RECTANGLES if isinstance(shape, Box) else kinds
    control = config.first((*first, *_POLYGONS, *_RECTANGLES, *_BRUSHES))
    assert control is not None  # noqa: S101 - the caller has looked
    if control.kind in _RECTANGLES:
        return control, [shape.bounds]
    if control.kind in _POLYGONS:
        outlines = [Polygon(each.exterior) for each in shape_to_polygons(shape)]
        return control, [simplified(each, MASK_TOLERANCE) if isinstance(shape, Mask) else each for each in outlines]
    return control, [mask_from_array(shape_to_array(shape, page.width, page.height))]
