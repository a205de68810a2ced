"""``limner.json`` beside an exported dataset: what no format has a place for, so that nothing is lost on the way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from limner.annotations.annotation import Json
from limner.annotations.serial import box_to_plain
from limner.annotations.shapes import Box
from limner.core.errors import FormatError, LimnerError
from limner.training.datasets.dataset import Dataset, DatasetPage

SIDECAR = "limner.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the formats of one page."""

    document: str
    ignore: tuple[Box, ...] = ()
    looked_for: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What stands beside the formats of a dataset; empty for somebody else's."""

    title: str = ""
    licence: str = ""
    pages: Mapping[str, Beside] = field(default_factory=dict)


def render_sidecar(dataset: Dataset, images: Mapping[str, DatasetPage]) -> str:
    """The text, for pages by the paths of their images in the export."""
    plain: dict[str, Json] = {
        "limner": _FORMAT,
        "dataset": dataset.ref,
        "sha256": dataset.sha256,
        "title": dataset.title,
        "licence": dataset.licence,
        "source": dataset.source,
        "labels": [*dataset.labels],
        "pages": {path: _page(page) for path, page in images.items()},
    }
    return json.dumps(plain, ensure_ascii=False, indent=1) + "\n"


def _page(page: DatasetPage) -> dict[str, Json]:
    plain: dict[str, Json] = {"document": page.document}
    if page.ignore:
        plain["ignore"] = [box_to_plain(zone) for zone in page.ignore]
    if page.exhaustive is not None:
        plain["looked_for"] = [*sorted(page.exhaustive)]
    return plain


def read_sidecar(text: str) -> Sidecar:
    """What a file of ours says; raises `FormatError` for anybody else's."""
    try:
        plain = json.loads(text)
        if plain["limner"] != _FORMAT:
            raise FormatError(f"{SIDECAR} is of another version of Limner, and was passed over.")
        pages = {str(path): _beside(each) for path, each in plain["pages"].items()}
        return Sidecar(str(plain["title"]), str(plain["licence"]), pages)
    except LimnerError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"{SIDECAR} cannot be read and was passed over: {type(error).__name__}: {error}.") from error


def _beside(plain: Mapping[str, Any]) -> Beside:
    looked_for = plain.get("looked_for")
    return Beside(
        str(plain["document"]),
        tuple(Box(*map(float, zone)) for zone in plain.get("ignore", ())),
        None if looked_for is None else frozenset(map(str, looked_for)),
    )
