"""Letting a served model look at the pages of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.text import page_text
from limner.core.errors import DatasetError, UsageError
from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.protocol import Options, Predictor
from limner.sources.decode import decode_file
from limner.sources.protocol import Want
from limner.training.datasets.dataset import Dataset, DatasetPage, Split
from limner.training.evaluation.coco import Kind
from limner.training.evaluation.evaluation import Evaluation, evaluate
from limner.training.evaluation.pages import PageFound, PageTruth, found_of, truth_of
from limner.training.evaluation.pixels import pixel_counts, pixel_iou
from limner.training.evaluation.text import TextErrors, text_errors

#: Average precision wants what the model is unsure of as well.
LEAST = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A model on some pages."""

    #: Name and version.
    model: str
    #: Labels that the dataset has and the model knows: only these are compared.
    labels: tuple[str, ...]
    #: Labels of the dataset that the model does not know, and the other way round.
    unknown: tuple[str, ...]
    unused: tuple[str, ...]
    pages: tuple[DatasetPage, ...]
    #: What it found on each page, however unsure.
    annotations: tuple[tuple[Annotation, ...], ...] = field(repr=False)
    truth: tuple[PageTruth, ...] = field(repr=False)
    found: tuple[PageFound, ...] = field(repr=False)
    #: None for a model that reads text …
    evaluation: Evaluation | None
    #: … and the IoU of pixels of each label, for one that segments.
    pixels: tuple[float | None, ...] | None
    #: Errors of text, for a model that reads.
    text: TextErrors | None


def chosen_pages(dataset: Dataset, split: Split | None) -> tuple[DatasetPage, ...]:
    """The pages to measure on: those of a split, by default ``test`` or, where there is none, ``val``.

    Raises `DatasetError` where there are none.
    """
    asked: tuple[Split, ...] = (split,) if split else ("test", "val")
    for each in asked:
        if pages := dataset.split(each):
            return pages
    raise DatasetError(
        f"The dataset {dataset.ref} has no page in {' or '.join(asked)}.",
        hint="Split it with `limner datasets split`, or choose another split.",
    )


def measure(
    predictor: Predictor,
    dataset: Dataset,
    pages: Sequence[DatasetPage],
    settings: Settings,
    *,
    threshold: float | None = None,
    told: Callable[[int], None] = lambda _done: None,
) -> Measured:
    """Let a model look at pages, and compare; ``told`` hears how many are done.

    Raises `UsageError` where model and dataset share no label.
    """
    check(predictor.bundle, dataset)
    seen = []
    for number, page in enumerate(pages, 1):
        seen.append(look(predictor, dataset, page, settings))
        told(number)
    return measured_by(predictor.bundle, dataset, pages, seen, threshold=threshold)


def check(bundle: Bundle, dataset: Dataset) -> None:
    """Raise `UsageError` where a model that finds things knows no label of a dataset."""
    if bundle.task != "ocr" and not shared_labels(dataset, bundle.labels):
        raise UsageError(f"The model {bundle.ref} has no label of the dataset {dataset.ref}.")


def look(predictor: Predictor, dataset: Dataset, page: DatasetPage, settings: Settings) -> tuple[Annotation, ...]:
    """What a model finds on a page, however unsure it is."""
    picture = decode_file(dataset.image_path(page), Want(predictor.wanted_side), settings, name=page.page.name)
    least = None if predictor.bundle.task == "ocr" else LEAST
    size = (page.page.width, page.page.height)
    return tuple(predictor.predict(picture.pixels, size, Options(threshold=least)))


def measured_by(
    bundle: Bundle,
    dataset: Dataset,
    pages: Sequence[DatasetPage],
    seen: Sequence[tuple[Annotation, ...]],
    *,
    threshold: float | None = None,
) -> Measured:
    """Compare what a model has found on pages with what is there; raises as `measure` does."""
    check(bundle, dataset)
    if bundle.task == "ocr":
        return _read(bundle.ref, pages, seen)
    shared, masks = shared_labels(dataset, bundle.labels), bundle.task == "segment"
    truth = tuple(truth_of(page, shared, masks=masks) for page in pages)
    found = tuple(
        found_of(page.page.name, some, shared, (page.page.width, page.page.height), masks=masks)
        for page, some in zip(pages, seen, strict=True)
    )
    least_score = bundle.thresholds.score if threshold is None else threshold
    kind: Kind = "segm" if masks else "bbox"
    return Measured(
        model=bundle.ref,
        labels=shared,
        unknown=tuple(label for label in dataset.labels if label not in shared),
        unused=tuple(label for label in bundle.labels if label not in shared),
        pages=tuple(pages),
        annotations=tuple(seen),
        truth=truth,
        found=found,
        evaluation=evaluate(truth, found, shared, threshold=least_score, kind=kind),
        pixels=_pixels(pages, seen, shared, least_score) if masks else None,
        text=None,
    )


def shared_labels(dataset: Dataset, labels: Sequence[str]) -> tuple[str, ...]:
    """The labels of a dataset that a model knows, in the dataset's order."""
    return tuple(label for label in dataset.labels if label in labels)


def _pixels(
    pages: Sequence[DatasetPage], seen: Sequence[Sequence[Annotation]], labels: Sequence[str], threshold: float
) -> tuple[float | None, ...]:
    return tuple(pixel_iou(pixel_counts(*each, labels, threshold) for each in zip(pages, seen, strict=True)))


def _read(model: str, pages: Sequence[DatasetPage], seen: Sequence[tuple[Annotation, ...]]) -> Measured:
    """A model that reads: its text beside that of the pages, both in reading order."""
    pairs = [
        (page_text(AnnotatedPage(page.page, page.annotations)), page_text(AnnotatedPage(page.page, some)))
        for page, some in zip(pages, seen, strict=True)
    ]
    return Measured(
        model=model,
        labels=(),
        unknown=(),
        unused=(),
        pages=tuple(pages),
        annotations=tuple(seen),
        truth=(),
        found=(),
        evaluation=None,
        pixels=None,
        text=text_errors(pairs),
    )
