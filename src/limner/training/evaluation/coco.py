"""COCO's mean average precision, by faster-coco-eval; the same to the last digits as by pycocotools.

Zones in which nothing is known become crowds, which is what COCO has for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from limner.annotations.shapes import Box
from limner.models.importers.extras import need_extra
from limner.training.evaluation.pages import PageFound, PageTruth, Rle, paired, rle

#: What is compared.
Kind: TypeAlias = Literal["bbox", "segm"]
#: Most finds of a page that count.
_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoFigures:
    """COCO's figures, each between 0 and 1; None where there is nothing to be found."""

    #: Mean over IoU 0.5, 0.55 … 0.95, at 0.5 and at 0.75.
    ap: float | None
    ap50: float | None
    ap75: float | None
    #: Recall with at most 100 finds a page, mean over those IoU.
    recall: float | None
    #: The first two of each label.
    by_label: tuple[tuple[float | None, float | None], ...]


def coco_figures(
    truth: Sequence[PageTruth], found: Sequence[PageFound], labels: Sequence[str], kind: Kind = "bbox"
) -> CocoFigures:
    """COCO's figures for boxes or masks; raises `MissingExtraError` without the extra ``train``."""
    paired(truth, found)
    things, finds = coco_truth(truth, labels, kind), coco_found(found, kind)
    if not things["annotations"] or not finds:
        nothing = _nothing(truth, len(labels))
        return CocoFigures(ap=nothing[0], ap50=nothing[0], ap75=nothing[0], recall=nothing[0], by_label=nothing[1])
    precision, recall = _evaluated(things, finds, kind)
    return CocoFigures(
        ap=_mean(precision),
        ap50=_mean(precision[0]),
        ap75=_mean(precision[5]),
        recall=_mean(recall),
        by_label=tuple((_mean(precision[:, :, at]), _mean(precision[0, :, at])) for at in range(len(labels))),
    )


def _evaluated(things: dict[str, Any], finds: list[dict[str, Any]], kind: Kind) -> tuple[Any, Any]:
    """Precision [IoU, recall, label] and recall [IoU, label]; -1 where there is nothing."""
    need_extra("train", ("faster_coco_eval",), "COCO's figures")
    from faster_coco_eval import COCO, COCOeval_faster  # type: ignore[import-untyped]

    known = COCO(things)
    evaluation = COCOeval_faster(known, known.loadRes(finds), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation.eval["precision"][:, :, :, 0, -1], evaluation.eval["recall"][:, :, 0, -1]


def coco_truth(truth: Sequence[PageTruth], labels: Sequence[str], kind: Kind) -> dict[str, Any]:
    """What is there, as a COCO file; images and categories are numbered from 1."""
    annotations: list[dict[str, Any]] = []
    for number, page in enumerate(truth, 1):
        boxes, areas = _boxes(page.boxes)
        for at, label in enumerate(page.labels.tolist()):
            thing = {"image_id": number, "category_id": label + 1, "bbox": boxes[at], "area": areas[at], "iscrowd": 0}
            if kind == "segm" and page.masks is not None:
                thing["segmentation"] = page.masks[at]
            annotations.append(thing)
        annotations.extend(_crowds(page, number, kind))
    for number, each in enumerate(annotations, 1):
        each["id"] = number
    return {
        "images": [{"id": at, "width": page.width, "height": page.height} for at, page in enumerate(truth, 1)],
        "categories": [{"id": at, "name": label} for at, label in enumerate(labels, 1)],
        "annotations": annotations,
    }


def coco_found(found: Sequence[PageFound], kind: Kind) -> list[dict[str, Any]]:
    """What was found, as COCO's list of results."""
    out: list[dict[str, Any]] = []
    for number, page in enumerate(found, 1):
        boxes, _ = _boxes(page.boxes)
        rows = zip(boxes, page.labels.tolist(), page.scores.tolist(), strict=True)
        for at, (box, label, score) in enumerate(rows):
            find: dict[str, Any] = {"image_id": number, "category_id": label + 1, "score": score}
            if kind == "segm" and page.masks is not None:
                find["segmentation"] = page.masks[at]
            else:
                find["bbox"] = box
            out.append(find)
    return out


def _crowds(page: PageTruth, number: int, kind: Kind) -> list[dict[str, Any]]:
    zones, labels = page.unknown
    boxes, areas = _boxes(zones)
    out = []
    for box, area, label in zip(boxes, areas, labels.tolist(), strict=True):
        crowd: dict[str, Any] = {"image_id": number, "category_id": label + 1, "bbox": box, "area": area, "iscrowd": 1}
        if kind == "segm":
            crowd["segmentation"] = _filled(box, page)
        out.append(crowd)
    return out


def _filled(box: list[float], page: PageTruth) -> Rle:
    return rle(Box(*box), (page.width, page.height))


def _boxes(corners: Any) -> tuple[list[list[float]], list[float]]:  # noqa: ANN401 - an array of [N, 4]
    """Left, top, width, height, and the areas."""
    sides = corners[:, 2:] - corners[:, :2]
    return np.concatenate([corners[:, :2], sides], axis=1).tolist(), (sides[:, 0] * sides[:, 1]).tolist()


def _mean(values: Any) -> float | None:  # noqa: ANN401 - an array with -1 where there is nothing
    known = values[values > -1]
    return float(known.mean()) if known.size else None


def _nothing(
    truth: Sequence[PageTruth], labels: int
) -> tuple[float | None, tuple[tuple[float | None, float | None], ...]]:
    """The figures where nothing was found: 0 for labels with things, None for the others."""
    there = [any((page.labels == at).any() for page in truth) for at in range(labels)]
    each = [0.0 if is_there else None for is_there in there]
    return (0.0 if any(there) else None), tuple((value, value) for value in each)
