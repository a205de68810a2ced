"""Evaluating 5,000 pages of 20 boxes: all our figures against faster-coco-eval alone on the same boxes."""

from __future__ import annotations

import time

from limner.training.evaluation.coco import coco_found, coco_truth
from limner.training.evaluation.evaluation import evaluate
from tests.training.evaluation.scenes import scenes

PAGES, THINGS = 5_000, 20
LABELS = ("illustration", "initial", "text", "margin")
ALLOWED = 1.1


def alone(truth, found) -> float:
    """Seconds that faster-coco-eval takes, from its own input to its figures."""
    from faster_coco_eval import COCO, COCOeval_faster

    things, finds = coco_truth(truth, LABELS, "bbox"), coco_found(found, "bbox")
    start = time.perf_counter()
    known = COCO(things)
    evaluation = COCOeval_faster(known, known.loadRes(finds), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    return time.perf_counter() - start


def ours(truth, found) -> float:
    """Seconds that all our figures take, from arrays."""
    start = time.perf_counter()
    evaluate(truth, found, LABELS, rounds=0)
    return time.perf_counter() - start


def main() -> None:
    truth, found = scenes(PAGES, THINGS, len(LABELS))
    boxes = sum(len(page.boxes) for page in truth)
    times = [(alone(truth, found), ours(truth, found)) for _ in range(3)]
    reference, own = (min(side) for side in zip(*times, strict=True))
    ratio = own / reference
    print(f"evaluation of {PAGES} pages, {boxes} boxes: ours {own:.2f} s, faster-coco-eval alone {reference:.2f} s")
    print(f"ratio {ratio:.2f} (allowed {ALLOWED}): {'ok' if ratio <= ALLOWED else 'TOO SLOW'}")


if __name__ == "__main__":
    main()
