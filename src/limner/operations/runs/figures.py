"""The figures of a run for others: curves for MLflow, a table for each label in the blob store."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from limner.operations.runs.progress import metrics_of, result_of
from limner.operations.tracking.tracker import Tracker
from limner.operations.tracking.writer import Run
from limner.training.fitting.folder import RunFolder

if TYPE_CHECKING:  # a command that trains by itself has no blob store
    from limner.storage.blobs import Blobs

#: What MLflow does not take in the name of a metric, and what no key of a blob may hold.
_ODD_NAME, _ODD_KEY = re.compile(r"[^\w. /-]"), re.compile(r"[^\w.+=-]", re.ASCII)
#: Files of a run that are kept with it in MLflow; those of its model besides.
_FILES = ("config.json", "metrics.jsonl", "result.json")


def note_curves(tracker: Tracker | None, run: Run | None, lines: Iterable[Mapping[str, Any]]) -> None:
    """Hand lines of a run's log to MLflow, by the number of the batch."""
    if tracker is not None and run is not None:
        for line in lines:
            tracker.figures(run, curve_of(line), int(line["batch"]))


def curve_of(line: Mapping[str, Any]) -> dict[str, float]:
    """The values of a line of the log, by the names of metrics."""
    if line.get("kind") == "loss":
        parts = {f"loss_{name}": value for name, value in line["losses"].items()}
        known = {name: line[name] for name in ("loss", "learning_rate", "images_per_second")}
        return {**known, **parts}
    labels = {f"ap50 {_ODD_NAME.sub('_', label)}": value for label, value in line["by_label"].items()}
    known = {"map": line["ap"], "map50": line["ap50"], **labels}
    return {name: value for name, value in known.items() if value is not None}


def files_of(folder: RunFolder) -> dict[str, str]:
    """The files of a run that others may want: its choices, its figures, its last pictures, its model."""
    found = {name: folder.path / name for name in _FILES}
    if folder.samples.is_dir() and (pictures := sorted(folder.samples.glob("epoch-*.jpg"))):
        found[f"samples/{pictures[-1].name}"] = pictures[-1]
    if folder.bundle.is_dir():
        found |= {f"model/{path.name}": path for path in sorted(folder.bundle.iterdir())}
    return {name: str(path) for name, path in found.items() if path.is_file()}


def write_figures(blobs: Blobs, run_id: str, folder: RunFolder) -> list[str]:
    """Write ``metrics/<run>/<label>.csv`` and ``.json`` for each label; their keys. Raises `StorageError`."""
    keys = []
    for name, (label, rows, final) in _tables(folder).items():
        plain = {"run": run_id, "label": label, "epochs": rows, "final": final}
        key = f"metrics/{run_id}/{name}"
        blobs.write(f"{key}.csv", _csv(rows).encode())
        blobs.write(f"{key}.json", json.dumps(plain, ensure_ascii=False, indent=2).encode())
        keys += [f"{key}.csv", f"{key}.json"]
    return keys


def _tables(folder: RunFolder) -> dict[str, tuple[str, list[dict[str, Any]], Mapping[str, Any] | None]]:
    """For each label, by a name that a file can have: itself, a row an epoch, and the figures at the end."""
    validations = [line for line in metrics_of(folder) if line.get("kind") == "validation"]
    finals = {each["label"]: each for each in (result_of(folder) or {}).get("labels", ())}
    labels = list(dict.fromkeys([label for line in validations for label in line["by_label"]] + [*finals]))
    out: dict[str, tuple[str, list[dict[str, Any]], Mapping[str, Any] | None]] = {}
    for label in labels:
        rows = [_row(line, label) for line in validations if label in line["by_label"]]
        out[_file_name(label, out)] = label, rows, finals.get(label)
    return out


def _row(line: Mapping[str, Any], label: str) -> dict[str, Any]:
    known = {name: line[name] for name in ("epoch", "batch", "seconds")}
    return {**known, "ap50": line["by_label"][label], "map50": line["ap50"]}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, ("epoch", "batch", "seconds", "ap50", "map50"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _file_name(label: str, taken: Iterable[str]) -> str:
    """A label as the name of a file; two that would have the same are numbered."""
    name = _ODD_KEY.sub("_", label).lstrip(".")[:100] or "_"
    numbered = (name, *(f"{name}-{number}" for number in range(2, 100_000)))
    return next(each for each in numbered if each not in taken)
