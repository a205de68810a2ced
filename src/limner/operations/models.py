"""Models: add, list, show, try and remove them."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from limner.core.errors import BundleError, ModelError
from limner.models.bundle import Bundle, checked_name
from limner.models.bundle_files import file_sha256, is_bundle, read_bundle, unpack_bundle
from limner.models.importers.protocol import Wishes, importer_for
from limner.models.pool import estimated_memory
from limner.models.protocol import RUNTIMES, Options, Pixels, Predictor, RuntimeOptions, Sender
from limner.models.store import ModelStore

T = TypeVar("T")

#: Seconds a page where nobody has tried, for estimates.
_UNKNOWN_SECONDS = 1.0
#: Width and height of the drawn picture, pixels.
_DRAWN_SIZE = (900, 1200)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedModel:
    """What came of adding a model."""

    bundle: Bundle
    #: The importer that made the bundle; None where it was one already.
    importer: str | None
    #: Seconds that loading took, and the prediction after it.
    load_seconds: float
    page_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """A model in a list, and its card."""

    bundle: Bundle
    #: Aliases that stand for it now.
    aliases: tuple[str, ...]
    #: Whether it ships with its runtime.
    built_in: bool
    #: Size of its weights, bytes; None where it has none of its own.
    size: int | None
    #: Memory that it is reckoned to take when loaded, bytes.
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTrial:
    """What came of trying a model."""

    #: Name and version.
    ref: str
    #: Whether the weights are those that the bundle names; None where it has none of its own.
    hash_matches: bool | None
    #: What executes it, best first; empty where the runtime does not say.
    providers: tuple[str, ...]
    load_seconds: float
    #: The first prediction, which is often slower.
    first_seconds: float
    #: The median of those after it.
    seconds: float
    #: How many annotations it made of the picture.
    annotations: int


def add_model(
    store: ModelStore,
    path: Path,
    wishes: Wishes = Wishes(),  # noqa: B008  # frozen
    *,
    kind: str | None = None,
    replace: bool = False,
    threads: int = 0,
    send: Sender | None = None,
) -> AddedModel:
    """Install a bundle (folder or zip) or a file that an importer knows.

    The model is loaded and tried on a drawn picture first: what cannot run is not installed. Raises
    `BundleError` or `ModelError`.
    """
    store.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=store.folder) as folder:
        prepared = prepare_model(path, Path(folder), wishes, kind=kind, threads=threads, send=send)
        return dataclasses.replace(prepared, bundle=store.add(prepared.bundle, replace=replace))


def prepare_model(
    path: Path, folder: Path, wishes: Wishes, *, kind: str | None = None, threads: int = 0, send: Sender | None = None
) -> AddedModel:
    """Make the bundle that would be installed, in an empty folder unless it is one already, and try it."""
    for wish, what in ((wishes.name, "a model"), (wishes.version, "a version")):
        if wish is not None:
            checked_name(wish, what)
    bundle, importer = _as_bundle(path, folder, wishes, kind)
    predictor, load_seconds = _timed(lambda: _load(bundle, threads, send))
    try:
        page_seconds = _timed(lambda: _predict(predictor, drawn_picture()))[1]
    finally:
        predictor.close()
    if bundle.page_seconds is None:
        bundle = bundle.changed(page_seconds=round(page_seconds, 4))
    return AddedModel(bundle=bundle, importer=importer, load_seconds=load_seconds, page_seconds=page_seconds)


def list_models(store: ModelStore) -> list[ModelSummary]:
    """All models, by name and version."""
    meant = {alias: store.resolve(alias) for alias in _working_aliases(store)}
    return [_summary(bundle, meant) for bundle in store.list()]


def show_model(store: ModelStore, name: str) -> ModelSummary:
    """One model; raises `ModelNotFoundError`."""
    meant = {alias: store.resolve(alias) for alias in _working_aliases(store)}
    return _summary(store.get(name), meant)


def remove_model(store: ModelStore, name: str) -> str:
    """Remove a model and return its name and version; raises `ModelNotFoundError` or `UsageError`."""
    return store.remove(name)


def set_alias(store: ModelStore, alias: str, target: str | None) -> None:
    """Let an alias stand for a model, or forget it when ``target`` is None."""
    store.alias(alias, target)


def try_model(
    store: ModelStore,
    name: str,
    pixels: Pixels | None = None,
    *,
    runs: int = 5,
    threads: int = 0,
    send: Sender | None = None,
) -> ModelTrial:
    """Load a model and run it a few times on an image, or on a drawn picture.

    Weights that are not those of the bundle are reported, not run: then the times are 0. Raises
    `ModelError` when the model cannot be loaded or fails.
    """
    bundle = store.get(name)
    matches = None if bundle.weights is None else file_sha256(bundle.weights_path) == bundle.sha256
    if matches is False:
        return ModelTrial(
            ref=bundle.ref, hash_matches=False, providers=(), load_seconds=0, first_seconds=0, seconds=0, annotations=0
        )
    image = drawn_picture() if pixels is None else pixels
    predictor, load_seconds = _timed(lambda: _load(bundle, threads, send))
    try:
        count, first = _timed(lambda: _predict(predictor, image))
        later = [_timed(lambda: _predict(predictor, image))[1] for _ in range(runs - 1)]
    finally:
        predictor.close()
    return ModelTrial(
        ref=bundle.ref,
        hash_matches=matches,
        providers=tuple(getattr(predictor, "providers", ())),
        load_seconds=load_seconds,
        first_seconds=first,
        seconds=statistics.median(later or [first]),
        annotations=count,
    )


def expected_seconds(bundle: Bundle) -> float:
    """Seconds that a page will take with a model, as far as anybody has tried."""
    return _UNKNOWN_SECONDS if bundle.page_seconds is None else bundle.page_seconds


def drawn_picture() -> Pixels:
    """A page with lines, a frame and a few filled shapes: the same each time."""
    width, height = _DRAWN_SIZE
    image = np.full((height, width, 3), 245, np.uint8)
    cv2.putText(image, "Limner tries a model", (80, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (20, 20, 20), 3)
    cv2.rectangle(image, (100, 200), (500, 560), (30, 30, 30), 4)
    cv2.circle(image, (300, 380), 110, (160, 60, 40), -1)
    cv2.rectangle(image, (600, 220), (800, 520), (40, 90, 150), -1)
    for y in range(640, 1120, 40):
        cv2.putText(image, "a line of words on a page", (90, y), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (40, 40, 40), 2)
    return image


def _as_bundle(path: Path, folder: Path, wishes: Wishes, kind: str | None) -> tuple[Bundle, str | None]:
    """The bundle in a folder or zip file, or the one that an importer makes, and that importer's name."""
    if kind is None and is_bundle(path):
        bundle = read_bundle(path) if path.is_dir() else unpack_bundle(path, folder)
        return _wished(bundle, wishes), None
    importer = importer_for(path, kind)
    return importer.convert(path, folder, wishes), importer.name


def _wished(bundle: Bundle, wishes: Wishes) -> Bundle:
    """A bundle with what people wish changed in it."""
    if wishes.labels is not None and len(wishes.labels) != len(bundle.labels):
        raise BundleError(f"{bundle.ref} has {len(bundle.labels)} labels, and {len(wishes.labels)} were given.")
    changes = {"name": wishes.name, "version": wishes.version, "labels": wishes.labels}
    return bundle.changed(**{key: value for key, value in changes.items() if value is not None})


def _load(bundle: Bundle, threads: int, send: Sender | None) -> Predictor:
    return RUNTIMES.get(bundle.runtime).load(bundle, RuntimeOptions(threads=threads, send=send))


def _predict(predictor: Predictor, image: Pixels) -> int:
    """How many annotations a model makes of an image."""
    return len(predictor.predict(image, (image.shape[1], image.shape[0]), Options()))


def _timed(run: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = run()
    return result, time.perf_counter() - began


def _working_aliases(store: ModelStore) -> list[str]:
    """Aliases that stand for a model that is there."""
    out = []
    for alias in store.aliases():
        try:
            store.resolve(alias)
        except ModelError:
            continue
        out.append(alias)
    return out


def _summary(bundle: Bundle, aliases: dict[str, str]) -> ModelSummary:
    return ModelSummary(
        bundle=bundle,
        aliases=tuple(sorted(alias for alias, target in aliases.items() if target == bundle.ref)),
        built_in=bundle.folder is None,
        size=bundle.weights.size if bundle.weights else None,
        memory=estimated_memory(bundle),
    )
