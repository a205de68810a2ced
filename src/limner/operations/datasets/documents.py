"""Datasets from documents that people worked on: the pages that somebody has corrected or accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from limner.annotations.document import AnnotatedPage
from limner.core.errors import DatasetError, LimnerError, SourceError
from limner.operations.datasets.gathering import Gathering, Imported, Wishes, fetcher
from limner.operations.datasets.sidecar import Beside
from limner.operations.documents.desk import by_job, image_key
from limner.sources.protocol import SourceContext
from limner.sources.urls import is_address
from limner.storage.blobs import Blobs
from limner.storage.documents import Documents, StoredPage
from limner.training.datasets.store import DatasetStore

#: Pages read at one time.
_BATCH = 200


def import_documents(
    stored: Documents,
    blobs: Blobs,
    document_ids: Sequence[str],
    store: DatasetStore,
    wishes: Wishes,
    context: SourceContext,
    *,
    reviewed: bool = True,
) -> Imported:
    """Make a dataset of the pages of some documents; with ``reviewed``, only of those that a person saved last.

    A page that somebody saved without a change counts: it was looked at and found right. Raises `NotFoundError`,
    and `DatasetError` where no page is left.
    """
    gathering = Gathering(store, context.settings, wishes)
    fetch = fetcher(context.downloader, context.settings)
    left_out = 0
    for document_id in dict.fromkeys(document_ids):
        for page in _pages(stored, document_id):
            if reviewed and not is_reviewed(page):
                left_out += 1
            else:
                _take(gathering, stored, blobs, document_id, page, fetch)
    if left_out and not gathering.pages:
        raise DatasetError(
            "Nobody has corrected or accepted a page of these documents yet.",
            hint="Save a page to accept it, or take all pages with reviewed=false.",
        )
    if left_out:
        gathering.problems.append(f"{left_out} pages that nobody has reviewed were left out.")
    titles = [stored.get(each).title for each in dict.fromkeys(document_ids)]
    return gathering.finish(format_name="", source=", ".join(titles)[:2000])


def is_reviewed(page: StoredPage) -> bool:
    """Whether it was a person who saved a page last."""
    return page.revision > 0 and not by_job(page.updated_by)


def _pages(stored: Documents, document_id: str) -> Iterator[StoredPage]:
    last = -1
    while found := stored.pages(document_id, after=last, limit=_BATCH):
        yield from found
        last = found[-1].page.index


def _take(
    gathering: Gathering,
    stored: Documents,
    blobs: Blobs,
    document_id: str,
    page: StoredPage,
    fetch: Callable[[str], bytes],
) -> None:
    name = page.page.name
    try:
        image = gathering.keep(_image(blobs, document_id, page, fetch), name)
        annotations, _ = stored.annotations(document_id, page.page.id)
        annotated = AnnotatedPage(replace(page.page, id=f"{document_id}/{page.page.index}"), annotations)
        gathering.add(annotated, image, Beside(document_id))
    except LimnerError as error:
        gathering.problems.append(f"{name} was passed over: {error}")


def _image(blobs: Blobs, document_id: str, page: StoredPage, fetch: Callable[[str], bytes]) -> bytes:
    """The image as it is kept, or else from where it came."""
    key = image_key(document_id, page)
    if key is not None and blobs.exists(key):
        return blobs.read(key)
    if is_address(page.page.source):
        return fetch(page.page.source)
    raise SourceError("its image is not kept any more.")
