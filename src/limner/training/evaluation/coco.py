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
from limner.training.evaluation.pages import Floats, Ints, PageFound, PageTruth, Rle, paired, rle

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
    evaluation = COCOeval_faster(known, known.loadRes(finds) if kind == "segm" else COCO(_as_file(things, finds)), kind)
    # Of sizes and of fewer finds we report nothing, and each would be reckoned as long as the whole.
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0.0, 1e10]], ["all"]
    evaluation.params.maxDets = [_MOST]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation.eval["precision"][:, :, :, 0, -1], evaluation.eval["recall"][:, :, 0, -1]


def coco_truth(truth: Sequence[PageTruth], labels: Sequence[str], kind: Kind) -> dict[str, Any]:
    """What is there, as a COCO file; images and categories are numbered from 1."""
    annotations = _rows([each.boxes for each in truth], [each.labels for each in truth])
    _add_masks(annotations, [each.masks for each in truth], kind)
    annotations += _crowds(truth, kind, first=len(annotations) + 1)
    return {
        "images": [{"id": at, "width": page.width, "height": page.height} for at, page in enumerate(truth, 1)],
        "categories": [{"id": at, "name": label} for at, label in enumerate(labels, 1)],
        "annotations": annotations,
    }


def coco_found(found: Sequence[PageFound], kind: Kind) -> list[dict[str, Any]]:
    """What was found, as COCO's list of results."""
    out = _rows([each.boxes for each in found], [each.labels for each in found])
    for find, score in zip(out, np.concatenate([np.zeros(0), *(each.scores for each in found)]).tolist(), strict=True):
        find["score"] = score
    if kind == "segm":
        for find in out:  # or it would be taken for a result in boxes
            del find["bbox"]
    _add_masks(out, [each.masks for each in found], kind)
    return out


def _as_file(things: dict[str, Any], finds: list[dict[str, Any]]) -> dict[str, Any]:
    """Results in boxes as a COCO file: what loadRes makes of them, without its copies."""
    return {"images": things["images"], "categories": things["categories"], "annotations": finds}


def _rows(boxes: Sequence[Floats], labels: Sequence[Ints], first: int = 1) -> list[dict[str, Any]]:
    """One row a box, over all pages; ids count from ``first``."""
    corners = np.concatenate([np.zeros((0, 4)), *boxes])
    sides = corners[:, 2:] - corners[:, :2]
    places = np.concatenate([corners[:, :2], sides], axis=1).tolist()
    pages = np.repeat(np.arange(1, len(boxes) + 1), [len(each) for each in boxes]).tolist()
    kinds = (np.concatenate([np.zeros(0, dtype=np.int64), *labels]) + 1).tolist()
    areas = (sides[:, 0] * sides[:, 1]).tolist()
    return [
        {"id": number, "image_id": page, "category_id": kind, "bbox": place, "area": area, "iscrowd": 0}
        for number, (page, kind, place, area) in enumerate(zip(pages, kinds, places, areas, strict=True), first)
    ]


def _add_masks(rows: list[dict[str, Any]], masks: Sequence[tuple[Rle, ...] | None], kind: Kind) -> None:
    if kind == "segm":
        for row, mask in zip(rows, (mask for page in masks for mask in page or ()), strict=True):
            row["segmentation"] = mask


def _crowds(truth: Sequence[PageTruth], kind: Kind, first: int) -> list[dict[str, Any]]:
    zones = [page.unknown for page in truth]
    out = _rows([boxes for boxes, _ in zones], [labels for _, labels in zones], first)
    for crowd in out:
        crowd["iscrowd"] = 1
        if kind == "segm":
            crowd["segmentation"] = _filled(crowd["bbox"], truth[crowd["image_id"] - 1])
    return out


def _filled(box: list[float], page: PageTruth) -> Rle:
    return rle(Box(*box), (page.width, page.height))


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
