"""Several datasets as one, and a dataset with more pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from limner.training.datasets.dataset import Dataset, DatasetPage, labels_of


def merged(datasets: Sequence[Dataset], name: str) -> Dataset:
    """Several datasets as one, with no version yet.

    Labels that only some of them have were not looked for on the pages of the others: these pages say so.
    An image that is in several with the same annotations is taken once; with others, it stays in the split
    that it was found in first, so that no image is in two.
    """
    labels = labels_of([page for each in datasets for page in each.pages], _in_order(datasets))
    pages: list[DatasetPage] = []
    first: dict[str, list[DatasetPage]] = {}
    for dataset in datasets:
        added = []
        for page in dataset.pages:
            before = first.get(page.image, [])
            if not any(page.annotations == each.annotations for each in before):
                added.append(_merged_page(page, dataset, labels, before))
        for page in added:
            first.setdefault(page.image, []).append(page)
        pages += added
    return Dataset(
        name=name,
        version="",
        labels=labels,
        pages=numbered(pages),
        images=datasets[0].images,
        title=" + ".join(dict.fromkeys(each.title or each.name for each in datasets))[:500],
        licence=", ".join(dict.fromkeys(each.licence for each in datasets if each.licence)),
        source=", ".join(each.ref for each in datasets),
    )


def extended(dataset: Dataset, more: Dataset) -> Dataset:
    """A dataset with the pages of another added to it, with no version yet.

    A page that is in both (the same image, or the same page of the same document) is the newer one. Documents stay
    in the split that they are in.
    """
    places = {(page.document, page.page.id) for page in more.pages}
    images = {page.image for page in more.pages}
    kept = [page for page in dataset.pages if (page.document, page.page.id) not in places and page.image not in images]
    splits = {page.document: page.split for page in dataset.pages}
    added = [replace(page, split=splits.get(page.document, page.split)) for page in more.pages]
    both = [replace(dataset, pages=tuple(kept)), replace(more, pages=tuple(added))]
    made = merged(both, dataset.name)
    source = ", ".join(dict.fromkeys(each.source for each in both if each.source))
    return replace(made, title=dataset.title or more.title, source=source)


def _in_order(datasets: Iterable[Dataset]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for each in datasets for label in each.labels))


def _merged_page(
    page: DatasetPage, dataset: Dataset, labels: Sequence[str], before: Sequence[DatasetPage]
) -> DatasetPage:
    looked_for = page.exhaustive
    if looked_for is None and set(dataset.labels) != set(labels):
        looked_for = frozenset(dataset.labels)
    split = before[0].split if before else page.split
    return replace(page, exhaustive=looked_for, split=split)


def numbered(pages: Iterable[DatasetPage]) -> tuple[DatasetPage, ...]:
    """Pages counted through, with ids and file names that each stand once."""
    ids, names = set[str](), set[str]()
    out = []
    for index, each in enumerate(pages):
        page = replace(
            each.page, id=_free(each.page.id, ids), name=_free(each.page.name, names, suffixed=True), index=index
        )
        out.append(replace(each, page=page))
    return tuple(out)


def _free(text: str, taken: set[str], *, suffixed: bool = False) -> str:
    """The text, with a number where it is taken in whatever capitals; before its suffix for the name of a file."""
    stem, dot, suffix = text.rpartition(".") if suffixed and "." in text[1:] else (text, "", "")
    key, number = (stem if suffixed else text).casefold(), 1
    while (key if number == 1 else f"{key}-{number}") in taken:
        number += 1
    taken.add(key if number == 1 else f"{key}-{number}")
    return text if number == 1 else f"{stem}-{number}{dot}{suffix}"
