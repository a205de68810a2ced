"""Things in boxes: from the outputs of a network to detections and to annotations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.annotations.annotation import Annotation, Provenance
from limner.annotations.shapes import Box, Mask
from limner.models.tasks.decoders import Candidates, Outputs, Reading, decode
from limner.models.tasks.instance_masks import page_mask
from limner.models.tasks.letterbox import Size, Transform
from limner.models.tasks.nms import nms
from limner.models.tasks.specs import BoxDecoder

#: A box that is narrower after clipping was never on the page, pixels.
_LEAST_SIDE = 1e-3


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one prediction, defaults filled in."""

    #: All labels of the model.
    labels: tuple[str, ...]
    #: Which of them are asked for.
    wanted: npt.NDArray[np.bool_]
    #: Least score.
    threshold: float
    #: Greatest overlap of two boxes of one label, as intersection over union.
    iou: float
    #: Most detections.
    limit: int
    #: What annotations say of their origin.
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a network was looking."""

    #: From pixels of the page to pixels of the network's input.
    transform: Transform
    #: Size of the input.
    canvas: Size
    #: What it saw of the page, pixels of the page.
    view: Box
    #: Size of the page.
    page: Size


@dataclass(frozen=True, slots=True)
class Detections:
    """What was found, best first, in pixels of the page."""

    #: n × 4: left, top, right, bottom.
    boxes: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float32]
    #: Index of the label.
    classes: npt.NDArray[np.intp]
    #: None where the network gives no masks; an element is None where it is empty.
    masks: tuple[Mask | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.boxes)


def detect(outputs: Outputs, spec: BoxDecoder, request: Request, frame: Frame, *, masks: bool) -> Detections:
    """What a network has found in one view; raises `ModelError` where its outputs are not as expected."""
    candidates = decode(outputs, spec, Reading(len(request.labels), request.threshold, frame.canvas))
    chosen = candidates.take(_chosen(candidates, request))
    boxes = _clip(frame.transform.to_image(chosen.boxes), frame.view)
    visible = np.flatnonzero((boxes[:, 2:] - boxes[:, :2]).min(axis=1) > _LEAST_SIDE)
    boxes, chosen = boxes[visible], chosen.take(visible)
    shapes = tuple(_page_masks(chosen, boxes, frame)) if masks and chosen.masks is not None else None
    return Detections(boxes, chosen.scores, chosen.classes, shapes)


def _chosen(candidates: Candidates, request: Request) -> npt.NDArray[np.intp]:
    """The best of the candidates with wanted labels, without repeats."""
    wanted = np.flatnonzero(request.wanted[candidates.classes])
    scores = candidates.scores[wanted]
    if candidates.repeats:
        kept = nms(candidates.boxes[wanted], scores, candidates.classes[wanted], request.iou, request.limit)
    else:
        kept = np.argsort(-scores, kind="stable")[: request.limit]
    return wanted[kept]


def _clip(boxes: npt.NDArray[np.float64], view: Box) -> npt.NDArray[np.float64]:
    left, top, right, bottom = view.corners
    return np.clip(boxes, (left, top, left, top), (right, bottom, right, bottom))


def _page_masks(chosen: Candidates, boxes: npt.NDArray[np.float64], frame: Frame) -> Iterator[Mask | None]:
    """The masks, one after the other: only one is ever spread out."""
    if chosen.masks is None:
        return
    for row, box in enumerate(boxes):
        grid = chosen.masks.grid(row, chosen.boxes[row])
        yield page_mask(grid, box, frame.transform, frame.page)


def to_annotations(found: Detections, request: Request) -> Iterator[Annotation]:
    """Detections as annotations: a mask where there is one, else the box."""
    masks = found.masks or (None,) * len(found)
    corners: list[list[float]] = found.boxes.tolist()
    scores: list[float] = np.clip(found.scores, 0, 1).tolist()
    for mask, edges, score, label in zip(masks, corners, scores, found.classes.tolist(), strict=True):
        yield Annotation(
            shape=mask or Box.from_corners(*edges),
            label=request.labels[label],
            score=score,
            provenance=request.provenance,
        )
