"""The end of a run: a bundle with its card, and the figures behind it."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np

from limner.models.bundle import Bundle
from limner.models.bundle_files import write_bundle, write_text
from limner.training.datasets.dataset import Dataset
from limner.training.evaluation.evaluation import Evaluation
from limner.training.evaluation.figures import LabelFinds, together
from limner.training.fitting.fit import FitResult, FitTask

#: Thresholds that are tried for the bundle's own.
_THRESHOLDS = np.round(np.arange(0.05, 0.951, 0.01), 2)
#: What it has where nothing was measured.
_USUAL = 0.25


def finish(task: FitTask, result: FitResult, dataset: Dataset) -> Bundle:
    """Write the bundle and ``result.json``; raises `BundleError` where the exported network answers otherwise."""
    folder, config = task.folder, task.config
    shutil.rmtree(folder.bundle, ignore_errors=True)
    staging = folder.path / "bundle.partial"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    bundle = task.learner.export(staging, config)
    threshold = _USUAL if result.evaluation is None else best_threshold(result.evaluation.finds)
    bundle = bundle.changed(
        thresholds=bundle.thresholds.model_copy(update={"score": threshold}),
        figures={} if result.evaluation is None else figures_of(result.evaluation),
        description=describe(task, dataset),
        licence=dataset.licence,
        provenance=bundle.provenance.model_copy(update={"training_data": f"{dataset.ref} ({dataset.sha256})"}),
    )
    bundle = write_bundle(bundle, staging)
    staging.rename(folder.bundle)
    write_text(folder.result, json.dumps(summary(task, result, threshold), indent=2) + "\n")
    return bundle.at(folder.bundle)


def figures_of(evaluation: Evaluation) -> dict[str, float]:
    """The figures that a model card shows: mean average precision, and that of each label at IoU 0.5."""
    known = {"mAP": evaluation.coco.ap, "mAP50": evaluation.coco.ap50}
    known |= {f"AP50 {each.label}": each.ap50 for each in evaluation.labels}
    return {name: round(value, 4) for name, value in known.items() if value is not None}


def labels_of(evaluation: Evaluation, threshold: float) -> list[dict[str, Any]]:
    """The figures of each label, at one threshold where they need one; None for what cannot be said."""
    out = []
    for each, finds in zip(evaluation.labels, evaluation.finds, strict=True):
        ratios = finds.at(threshold)
        known = {"ap": each.ap, "ap50": each.ap50, "precision": ratios.precision, "recall": ratios.recall}
        known |= {"f1": ratios.f1, "mean_iou": ratios.mean_iou, "best_threshold": each.best_threshold}
        rounded = {name: None if value is None else round(value, 4) for name, value in known.items()}
        out.append({"label": each.label, "things": ratios.things, **rounded})
    return out


def best_threshold(finds: tuple[LabelFinds, ...]) -> float:
    """The threshold with the highest F1 over all labels together."""
    f1 = [together([each.at(float(value)) for each in finds]).f1 or 0.0 for value in _THRESHOLDS]
    return float(_THRESHOLDS[int(np.argmax(f1))])


def describe(task: FitTask, dataset: Dataset) -> str:
    """A sentence for the card."""
    title = dataset.title or dataset.name
    pages = len(task.train)
    finds = ", ".join(task.learner.labels)
    return f"Finds {finds}. Learnt from {pages} {'page' if pages == 1 else 'pages'} of {title} ({dataset.ref})."


def summary(task: FitTask, result: FitResult, threshold: float) -> dict[str, Any]:
    """How the run ended."""
    evaluation = result.evaluation
    return {
        "batches": result.progress.batch,
        "seconds": round(result.progress.seconds, 2),
        "best_epoch": result.progress.best_epoch,
        "threshold": threshold,
        "figures": {} if evaluation is None else figures_of(evaluation),
        "labels": [] if evaluation is None else labels_of(evaluation, threshold),
        "pages": {"train": len(task.train), "validation": 0 if task.val is None else len(task.val)},
    }
