"""Annotating images at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeGuard

from limner.annotations.annotation import Json
from limner.annotations.document import AnnotatedPage
from limner.client import answers
from limner.client.call import Call, Upload, content, filled, path
from limner.core.errors import UsageError

#: An image: a path, its bytes, a file with a name to go by, or an address (``https://…`` or ``data:…``).
Image: TypeAlias = "str | Path | bytes | Upload"
#: A part of a page: x1, y1, x2, y2 in its pixels.
Zone: TypeAlias = Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """With what to annotate, and what to leave out."""

    model: str | None = None
    threshold: float | None = None
    labels: Iterable[str] | None = None
    zones: Iterable[Zone] | None = None

    def form(self) -> dict[str, str]:
        """As fields of a form; raises `UsageError` for a label that such a field cannot hold."""
        zones = None if self.zones is None else json.dumps([_corners(zone) for zone in self.zones])
        return filled(model=self.model, threshold=self.threshold, labels=listed_labels(self.labels), zones=zones)

    def body(self) -> dict[str, Json]:
        """As members of a JSON object."""
        labels: list[Json] | None = None if self.labels is None else [*self.labels]
        zones: list[Json] | None = None if self.zones is None else [_corners(zone) for zone in self.zones]
        wished: dict[str, Json] = {"model": self.model, "threshold": self.threshold, "labels": labels, "zones": zones}
        return {key: value for key, value in wished.items() if value is not None}


def annotate(
    image: Image | Sequence[Image],
    *,
    model: str | None = None,
    threshold: float | None = None,
    labels: Iterable[str] | None = None,
    zones: Iterable[Zone] | None = None,
) -> Call[list[AnnotatedPage]]:
    """Annotate an image, or several, at once; a page each, in their order.

    ``image`` is a path, the bytes of a file, or an address that the server fetches. ``zones`` are
    boxes to predict in: x1, y1, x2, y2 in pixels. A page that failed says why in ``error``.
    """
    wishes = Wishes(model=model, threshold=threshold, labels=labels, zones=zones)
    return _call(image, wishes, None).reading(answers.annotated_pages)


def annotate_as(
    image: Image | Sequence[Image],
    format: str,  # noqa: A002 - what the API calls it
    *,
    model: str | None = None,
    threshold: float | None = None,
    labels: Iterable[str] | None = None,
    zones: Iterable[Zone] | None = None,
) -> Call[bytes]:
    """Annotate at once, and have the answer in an output format, or as an ``overlay`` (PNG).

    A format of one file gives that file, UTF-8; one of several files gives a zip of them.
    """
    wishes = Wishes(model=model, threshold=threshold, labels=labels, zones=zones)
    return _call(image, wishes, format)


def _call(image: Image | Sequence[Image], wishes: Wishes, format_: str | None) -> Call[bytes]:
    given: Sequence[Image] = [image] if isinstance(image, (str, Path, bytes, Upload)) else image
    if not given:
        raise UsageError("There is no image to annotate.")
    addresses: list[Json] = [each for each in given if is_address(each)]
    params, where = filled(format=format_), path("annotate")
    if not addresses:
        files = uploads(given)
        return Call(method="POST", path=where, read=content, params=params, form=wishes.form(), files=files)
    if len(addresses) != len(given):
        raise UsageError("Files and addresses cannot be annotated in one call.", hint="Make one call for each.")
    body: dict[str, Json] = {"image": addresses[0]} if len(given) == 1 else {"images": addresses}
    return Call(method="POST", path=where, read=content, params=params, body={**body, **wishes.body()})


def listed_labels(labels: Iterable[str] | None) -> str | None:
    """Labels as a form has them, with commas between; raises `UsageError` for one that has a comma itself."""
    if labels is None:
        return None
    found = list(labels)
    if wrong := next((label for label in found if "," in label), None):
        raise UsageError(f"The label {wrong!r} has a comma, which separates labels.")
    return ",".join(found)


def is_address(image: Image) -> TypeGuard[str]:
    """Whether this is an address that the server fetches, or a ``data:`` URL."""
    return isinstance(image, str) and image[:8].lower().startswith(("http://", "https://", "data:"))


def uploads(files: Iterable[Image]) -> list[Upload]:
    """Files to be sent; raises `UsageError` for one that is not there."""
    return [_upload(file, number) for number, file in enumerate(files, 1)]


def _upload(file: Image, number: int) -> Upload:
    if isinstance(file, Upload):
        return file
    if isinstance(file, bytes):
        return Upload(f"image-{number}", file)
    found = Path(file)
    if not found.is_file():
        raise UsageError(f"There is no file {found}.")
    return Upload(found.name, found)


def _corners(zone: Zone) -> list[Json]:
    if len(zone) != 4:
        raise UsageError(f"{list(zone)} is no zone.", hint="Give four numbers: x1, y1, x2, y2.")
    return [*zone]
