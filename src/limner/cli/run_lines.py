"""How runs are printed, wherever they are."""

from __future__ import annotations

import json
from typing import Any

import typer


def print_runs(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """A line each."""
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    width = max((len(run["id"]) for run in found), default=0)
    for run in found:
        figure = run["figures"].get("mAP50")
        shown = "" if figure is None else f"  mAP50 {figure:.3f}"
        typer.echo(f"{run['id']:{width}}  {run['status']:9}  {run['architecture']}  {run['dataset']}{shown}")


def print_run(run: dict[str, Any], *, as_json: bool) -> None:
    """How a run stands, a line for each thing that is known."""
    if as_json:
        typer.echo(json.dumps(run, ensure_ascii=False, indent=2))
        return
    progress = run["progress"]
    rows = {
        **{key: run.get(key) for key in ("id", "name", "status", "architecture", "dataset", "base", "model")},
        "progress": f"{progress['progress']:.0%}, batch {progress['batch']}, {progress['seconds']:.0f} s of learning",
        **{key: progress[key] for key in ("loss", "best_map50", "images_per_second")},
        **run["figures"],
        "error": (run["error"] or {}).get("message"),
    }
    for key, value in rows.items():
        if value not in (None, ""):
            typer.echo(f"{key:18} {value}")
