"""Evaluating 5,000 pages of 20 boxes: all our figures against faster-coco-eval alone on the same boxes.

Both are measured in seconds of the processor, so that other programs count for neither.
"""

from __future__ import annotations

import sys
import time

from limner.training.evaluation.coco import coco_found, coco_truth
from limner.training.evaluation.evaluation import evaluate
from tests.training.evaluation.scenes import scenes

PAGES, THINGS = 5_000, 20
LABELS = ("illustration", "initial", "text", "margin")
ALLOWED = 1.1
ROUNDS = 4


def alone(truth, found) -> float:
    """Seconds that faster-coco-eval takes, from its own input to its figures."""
    from faster_coco_eval import COCO, COCOeval_faster

    things, finds = coco_truth(truth, LABELS, "bbox"), coco_found(found, "bbox")
    start = time.process_time()
    known = COCO(things)
    evaluation = COCOeval_faster(known, known.loadRes(finds), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    return time.process_time() - start


def ours(truth, found) -> float:
    """Seconds that all our figures take, from arrays."""
    start = time.process_time()
    evaluate(truth, found, LABELS, rounds=0)
    return time.process_time() - start


def main() -> int:
    """Turn and turn about, the best of each."""
    truth, found = scenes(PAGES, THINGS, len(LABELS))
    boxes = sum(len(page.boxes) for page in truth)
    times = [(alone(truth, found), ours(truth, found)) for _ in range(ROUNDS)]
    reference, own = (min(side) for side in zip(*times, strict=True))
    ratio = own / reference
    print(f"evaluation of {PAGES} pages, {boxes} boxes: ours {own:.2f} s, faster-coco-eval alone {reference:.2f} s")
    print(f"ratio {ratio:.2f} (allowed {ALLOWED}): {'ok' if ratio <= ALLOWED else 'TOO SLOW'}")
    return int(ratio > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
