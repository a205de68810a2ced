"""A model's card, as rows for people: the same for an installed model and for one of a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MOST_LABELS = 12


def card_rows(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What each row is called, and what stands there; rows without anything are left out.

    ``card`` is a model's ``bundle.json`` with ``ref``, ``aliases``, ``size`` and ``memory``.
    """
    origin, weights = _table(card, "provenance"), _table(card, "weights")
    size, memory, seconds = card.get("size"), card.get("memory"), card.get("page_seconds")
    rows = {
        "Model": card.get("ref"),
        "Title": card.get("title"),
        "What it does": card.get("task"),
        "Labels": labels_shown(card.get("labels") or ()),
        "Description": card.get("description"),
        "Aliases": ", ".join(card.get("aliases") or ()),
        "Runtime": card.get("runtime"),
        "Size": None if size is None else f"{size / 1e6:.1f} MB",
        "Memory": None if memory is None else f"about {memory / 1e6:.0f} MB",
        "Time": None if seconds is None else f"{seconds:.2f} s a page when it was added",
        "Score threshold": f"{_table(card, 'thresholds').get('score', 0):g}" if card.get("thresholds") else None,
        "Figures": ", ".join(f"{key} {value:g}" for key, value in _table(card, "figures").items()),
        "Licence": card.get("licence") or "not stated",
        "Made from": origin.get("source"),
        "Found at": origin.get("url"),
        "Converted by": origin.get("converter"),
        "Trained on": origin.get("training_data") or "not stated",
        "SHA-256": weights.get("sha256"),
    }
    return ((key, str(value)) for key, value in rows.items() if value)


def labels_shown(labels: Sequence[str]) -> str:
    """The first labels, and how many there are besides."""
    more = len(labels) - _MOST_LABELS
    return ", ".join(labels[:_MOST_LABELS]) + (f" and {more} more" if more > 0 else "")


def _table(card: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = card.get(key)
    return value if isinstance(value, Mapping) else {}
