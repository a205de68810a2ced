"""The figures of an evaluation as people read them: from their JSON values, whether reckoned here or by a server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

#: Pages with the most disagreement that are named.
_NAMED = 5


def print_figures(plain: Mapping[str, Any], *, as_json: bool) -> None:
    """Print all, or what matters most of them."""
    if as_json:
        typer.echo(json.dumps(plain, ensure_ascii=False, indent=2))
        return
    for line in (*_lines(plain), *_compared(plain.get("comparison"))):
        typer.echo(line)


def _lines(plain: Mapping[str, Any]) -> Iterator[str]:
    """What is printed of a model."""
    yield f"{plain['model']} on {plain['pages']} pages of {plain['dataset']}"
    if "cer" in plain:
        yield f"character error rate {_share(plain['cer'])}, word error rate {_share(plain['wer'])}"
    if "labels" not in plain:
        return
    width = max(len("all"), *(len(row["label"]) for row in plain["labels"]))
    yield f"scores from {plain['threshold']:g}, IoU from 0.5; mAP {_share(plain['map'])}"
    yield (
        f"{'':{width}}  {'things':>6}  {'precision':>9}  {'recall':>6}  {'F1':>5}  {'IoU':>5}  {'AP50':>5}  "
        f"{'95 %':>13}  {'best at':>7}"
    )
    for row in plain["labels"]:
        yield _row(row, width)
    every = {"label": "all", "ap50": plain["map50"], "ap50_interval": plain["map50_interval"], "best_threshold": None}
    yield _row({**plain["all"], **every}, width)
    if plain["unknown_labels"]:
        yield f"Not counted, as the model does not know them: {', '.join(plain['unknown_labels'])}."


def _row(row: Mapping[str, Any], width: int) -> str:
    return (
        f"{row['label']:{width}}  {row['things']:6}  {_share(row['precision']):>9}  {_share(row['recall']):>6}  "
        f"{_share(row['f1']):>5}  {_share(row['mean_iou']):>5}  {_share(row['ap50']):>5}  "
        f"{_interval(row['ap50_interval']):>13}  {_share(row['best_threshold']):>7}"
    )


def _compared(plain: Mapping[str, Any] | None) -> Iterator[str]:
    """What is printed of two."""
    if plain is None:
        return
    gain, interval = plain["gain_map50"], plain["interval"]
    ends = "" if interval is None else f", 95 % between {interval[0]:+.3f} and {interval[1]:+.3f}"
    sure = "surely better" if plain["surely_better"] else "not surely better"
    told = "–" if gain is None else f"{gain:+.3f}"
    yield f"{plain['first']} beside {plain['second']}: {told} mAP50{ends}: {sure}"
    for each in plain["labels"]:
        yield f"  {each['label']}: {_share(each['first'])} beside {_share(each['second'])}"
    for page in plain["pages"][:_NAMED]:
        if page["first_alone"] + page["second_alone"]:
            only = f"{page['first_alone']} only the one, {page['second_alone']} only the other"
            yield f"  they disagree on {page['page']}: {only}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(ends: Sequence[float] | None) -> str:
    return "–" if ends is None else f"{ends[0]:.3f}–{ends[1]:.3f}"
