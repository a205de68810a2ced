"""Raw outputs of networks become candidates: boxes, scores, classes and perhaps masks.

One function for each way in which networks speak, found by the name that stands in the bundle. All
boxes are left, top, right, bottom in pixels of the network's input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from limner.core.errors import ModelError
from limner.models.tasks.instance_masks import BoxMasks, InputMasks, MaskSource, Prototypes
from limner.models.tasks.letterbox import Size
from limner.models.tasks.specs import ROW, BoxDecoder, Boxes, Detr, Rows, TinyYolo, YoloV5, YoloV8
from limner.models.tasks.tiny_yolo import Grid, decode_grid

Outputs: TypeAlias = Sequence[npt.NDArray[Any]]
Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a network has seen, in pixels of its input."""

    #: n × 4: left, top, right, bottom.
    boxes: Floats
    scores: Floats
    #: Index of the label.
    classes: npt.NDArray[np.intp]
    masks: MaskSource | None = None
    #: Whether one thing may have several boxes.
    repeats: bool = True

    def take(self, rows: npt.NDArray[np.intp]) -> Candidates:
        """Some of them."""
        masks = None if self.masks is None else self.masks.take(rows)
        return Candidates(self.boxes[rows], self.scores[rows], self.classes[rows], masks, self.repeats)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a decoder has to know."""

    #: Number of labels.
    labels: int
    #: Least score.
    threshold: float
    #: Width and height of the network's input.
    canvas: Size


def decode(outputs: Outputs, spec: BoxDecoder, reading: Reading) -> Candidates:
    """The candidates in some outputs; raises `ModelError` when these are not as the bundle says."""
    read: Callable[[Outputs, Any, Reading], Candidates] = DECODERS[spec.name]
    found = read(outputs, spec, reading)
    # What no comparison can stand: networks do give NaN, and labels that nobody has named.
    sound = np.isfinite(found.boxes).all(axis=1) & (found.scores >= np.float32(reading.threshold))
    sound &= (found.classes >= 0) & (found.classes < reading.labels)
    return found if sound.all() else found.take(np.flatnonzero(sound))


def _yolov5(outputs: Outputs, spec: YoloV5, reading: Reading) -> Candidates:
    rows = _first(outputs, 3)[0]
    _expect(rows.shape[1], 5 + reading.labels + spec.masks, reading, spec.masks)
    # Scores are at most the objectness, so that most rows are never looked at.
    rows = rows[rows[:, 4] >= np.float32(reading.threshold)].astype(np.float32, copy=False)
    scores = rows[:, 5 : 5 + reading.labels] * rows[:, 4:5]
    masks = _prototypes(outputs, rows[:, 5 + reading.labels :], reading) if spec.masks else None
    return Candidates(_corners(rows[:, :4]), *_best(scores), masks)


def _yolov8(outputs: Outputs, spec: YoloV8, reading: Reading) -> Candidates:
    columns = _first(outputs, 3)[0]
    _expect(columns.shape[0], 4 + reading.labels + spec.masks, reading, spec.masks)
    best = columns[4 : 4 + reading.labels].max(axis=0)
    rows = columns[:, best >= np.float32(reading.threshold)].T.astype(np.float32)
    scores = rows[:, 4 : 4 + reading.labels]
    masks = _prototypes(outputs, rows[:, 4 + reading.labels :], reading) if spec.masks else None
    return Candidates(_corners(rows[:, :4]), *_best(scores), masks)


def _rows(outputs: Outputs, spec: Rows, reading: Reading) -> Candidates:
    rows = _first(outputs, 3)[0].astype(np.float32, copy=False)
    own = len(spec.columns)
    if rows.shape[1] != own + spec.masks:
        raise ModelError(f"The network gives rows of {rows.shape[1]} numbers, not of {own + spec.masks}.")
    left, top, right, bottom, score, label = map(spec.columns.index, ROW)
    rows = rows[rows[:, score] >= np.float32(reading.threshold)]
    masks = _prototypes(outputs, rows[:, own:], reading) if spec.masks else None
    boxes = rows[:, [left, top, right, bottom]]
    return Candidates(boxes, rows[:, score], _whole(rows[:, label]) - spec.first_label, masks, repeats=False)


def _boxes(outputs: Outputs, spec: Boxes, reading: Reading) -> Candidates:
    named = _named(outputs, spec.outputs)
    boxes = _unbatched(named["boxes"], 2).astype(np.float32, copy=False)
    scores, classes = _scores(named, spec)
    if not len(boxes) == len(scores) == len(classes):
        raise ModelError(f"The network gives {len(boxes)} boxes, {len(scores)} scores and {len(classes)} labels.")
    boxes = _to_corners(boxes, spec.form)
    if spec.units == "fractions":
        boxes = _to_pixels(boxes, reading.canvas)
    return Candidates(boxes, scores, classes, _masks(named, spec, len(boxes), reading), spec.nms)


def _scores(named: dict[str, npt.NDArray[Any]], spec: Boxes) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Score and label of each box: given so, or as a score for each label."""
    if "labels" in named:
        scores = _unbatched(named["scores"], 1).astype(np.float32, copy=False)
        return scores, _whole(_unbatched(named["labels"], 1)) - spec.first_label
    table = _unbatched(named["scores"], 2).astype(np.float32, copy=False)
    return _best(table[:, spec.first_label :])


def _masks(named: dict[str, npt.NDArray[Any]], spec: Boxes, count: int, reading: Reading) -> MaskSource | None:
    """The masks of the boxes, if the network gives some."""
    if "masks" not in named:
        return None
    values = named["masks"]
    # n × 1 × h × w, 1 × n × h × w or n × h × w
    values = values.reshape(count, *values.shape[-2:]).astype(np.float32, copy=False)
    if spec.mask_frame == "box":
        return BoxMasks(values, spec.mask_threshold)
    return InputMasks(values, spec.mask_threshold, reading.canvas)


def _detr(outputs: Outputs, spec: Detr, reading: Reading) -> Candidates:
    named = _named(outputs, spec.outputs)
    boxes = _unbatched(named["boxes"], 2).astype(np.float32, copy=False)
    logits = _unbatched(named["logits"], 2).astype(np.float64)
    if spec.activation == "softmax":
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = (powers / powers.sum(axis=1, keepdims=True))[:, spec.first_label : -1]
        best, classes = _best(scores.astype(np.float32))
        queries = np.arange(len(boxes))
    else:
        scores = (1 / (1 + np.exp(-logits)))[:, spec.first_label :].astype(np.float32)
        # A query may stand for several labels: each is a candidate of its own.
        queries, classes = np.nonzero(scores >= np.float32(reading.threshold))
        best = scores[queries, classes]
    return Candidates(_to_pixels(_corners(boxes[queries]), reading.canvas), best, classes, repeats=False)


def _tiny_yolo(outputs: Outputs, spec: TinyYolo, reading: Reading) -> Candidates:
    found = decode_grid(_first(outputs, 2), Grid(reading.labels, spec.cells, spec.boxes))
    return Candidates(_to_pixels(_corners(found.boxes), reading.canvas), *_best(found.scores))


DECODERS: dict[str, Callable[..., Candidates]] = {
    "yolov5": _yolov5,
    "yolov8": _yolov8,
    "rows": _rows,
    "boxes": _boxes,
    "detr": _detr,
    "tiny-yolo": _tiny_yolo,
}


def _first(outputs: Outputs, axes: int) -> npt.NDArray[Any]:
    """The first output with so many axes, the first of which counts images and is 1."""
    for output in outputs:
        if output.ndim == axes and output.shape[0] == 1:
            return output
    raise ModelError(f"The network gives no output with {axes} axes for one image: {_shapes(outputs)}.")


def _named(outputs: Outputs, roles: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    if len(outputs) < len(roles):
        raise ModelError(f"The network gives {len(outputs)} outputs, and the bundle names {len(roles)}.")
    return {role: output for role, output in zip(roles, outputs, strict=False) if role != "-"}


def _unbatched(output: npt.NDArray[Any], axes: int) -> npt.NDArray[Any]:
    """An output without the axis that counts images."""
    single = np.asarray(output[0]) if output.ndim == axes + 1 and output.shape[0] == 1 else output
    if single.ndim != axes:
        raise ModelError(f"The network gives an output of shape {output.shape} where {axes} axes were expected.")
    return single


def _expect(actual: int, expected: int, reading: Reading, masks: int) -> None:
    if actual != expected:
        raise ModelError(
            f"The network gives {actual} numbers for each box; for {reading.labels} labels and {masks} mask "
            f"coefficients there would be {expected}."
        )


def _shapes(outputs: Outputs) -> str:
    return ", ".join(" × ".join(map(str, output.shape)) for output in outputs)


def _best(scores: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """The best score in each row, and where it stands."""
    if not scores.shape[1]:
        raise ModelError("The network gives no scores.")
    classes = scores.argmax(axis=1)
    return scores[np.arange(len(scores)), classes], classes


def _whole(labels: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Numbers of labels; -1 for what is no number."""
    return np.where(np.isfinite(labels), labels, -1).astype(np.intp)


def _corners(boxes: Floats) -> Floats:
    """Centre and size to edges."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _to_corners(boxes: Floats, form: str) -> Floats:
    if form == "cxcywh":
        return _corners(boxes)
    if form == "yxyx":
        return boxes[:, [1, 0, 3, 2]]
    if form == "xywh":
        return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return boxes


def _to_pixels(boxes: Floats, canvas: Size) -> Floats:
    return boxes * np.asarray(canvas * 2, np.float32)


def _prototypes(outputs: Outputs, weights: Floats, reading: Reading) -> Prototypes:
    prototypes = _first(outputs, 4)[0].astype(np.float32, copy=False)
    if len(prototypes) != weights.shape[1]:
        raise ModelError(
            f"The network gives {len(prototypes)} prototypes and {weights.shape[1]} coefficients for them."
        )
    return Prototypes(weights, prototypes, reading.canvas)
