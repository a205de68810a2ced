"""Annotate a few images at once, for somebody who waits for the answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.page import Page
from limner.core.errors import LimnerError
from limner.models.bundle import Bundle
from limner.models.protocol import Options, Predictor
from limner.operations.candidates import Candidate, Decode, ImageInput, candidates
from limner.operations.services import Services
from limner.sources.protocol import Picture, Want


@dataclass(frozen=True, slots=True)
class InstantPage:
    """What came of one page."""

    annotated: AnnotatedPage
    #: The decoded image, where it was asked for and the page did not fail.
    picture: Picture | None
    #: Seconds in ``download``, ``queue``, ``decode`` and ``model``, as far as it came.
    seconds: dict[str, float]
    #: What went wrong, if something did.
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class InstantResult:
    """What came of all pages."""

    bundle: Bundle
    pages: tuple[InstantPage, ...]

    @property
    def model(self) -> str:
        """Name and version of the model."""
        return self.bundle.ref

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds in each stage, all pages together."""
        total: Counter[str] = Counter()
        for page in self.pages:
            total.update(page.seconds)
        return dict(total)

    @property
    def document(self) -> Document:
        """The pages as a document, for the formats."""
        pages = [page.annotated for page in self.pages]
        return Document(id="urn:limner:instant", title=pages[0].page.name if pages else "images", pages=pages)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done with each page."""

    predictor: Predictor
    options: Options
    want: Want
    #: Whether decoded images are kept.
    keep: bool

    def do(self, page: Page, decode: Decode, submitted: float, seconds: dict[str, float]) -> InstantPage:
        """Decode and infer one page, in the calling thread; raises what goes wrong."""
        begun = time.perf_counter()
        seconds["queue"] = begun - submitted
        picture = decode(self.want)
        decoded = time.perf_counter()
        seconds["decode"] = decoded - begun
        found = self.predictor.predict(picture.pixels, (picture.width, picture.height), self.options)
        seconds["model"] = time.perf_counter() - decoded
        named = tuple(replace(annotation, id=f"{page.id}-{n}") for n, annotation in enumerate(found, 1))
        sized = replace(page, width=picture.width, height=picture.height)
        return InstantPage(AnnotatedPage(sized, named), picture if self.keep else None, seconds)


async def annotate_now(
    images: Sequence[ImageInput],
    model: str,
    options: Options,
    services: Services,
    *,
    workspace_id: str,
    picture_side: int | None = 0,
) -> InstantResult:
    """What a model of the workspace finds on some images.

    ``picture_side``: length in pixels that pictures are wanted with, None for full size, 0 for no
    pictures. A page that fails says why in its place; where it is the only one, its error is raised.
    Raises `ModelNotFoundError`, `UsageError`, `SourceError` or `TooManyRequestsError`.
    """
    found = await candidates(images, services.sources)
    library = services.libraries.of(workspace_id)
    async with _lent(library.use(model), services.lending) as predictor:
        want = _want(predictor, options, picture_side)
        work = _Work(predictor, options, want, keep=picture_side != 0)
        pages = await asyncio.gather(*(_page(candidate, work, services) for candidate in found))
    if len(pages) == 1 and pages[0].error is not None:
        raise pages[0].error
    return InstantResult(predictor.bundle, tuple(pages))


def observed(result: InstantResult, write: float, services: Services, *, experiment: str | None = None) -> None:
    """Note how long each page took; the seconds in which the answer was written are shared among them.

    ``experiment``: the one of MLflow that an interface keeps its timings in, where it has its own.
    """
    for page in result.pages:
        services.answered(result.bundle, {**page.seconds, "write": write / len(result.pages)}, experiment)


async def _page(candidate: Candidate, work: _Work, services: Services) -> InstantPage:
    """One page; one that fails carries its error."""
    seconds: dict[str, float] = {}
    try:
        start = time.perf_counter()
        decode = await candidate.fetch(work.want)
        submitted = time.perf_counter()
        if candidate.remote:
            seconds["download"] = submitted - start
        return await services.inference.run(partial(work.do, candidate.page, decode, submitted, seconds))
    except LimnerError as error:
        return InstantPage(AnnotatedPage(candidate.page, error=str(error)), None, seconds, error)


def _want(predictor: Predictor, options: Options, picture_side: int | None) -> Want:
    """As much of an image as the model or the pictures need."""
    if predictor.wanted_side is None or picture_side is None or options.zones:
        return Want(None)  # a zone is a small part, and the model looks at it closely
    return Want(max(predictor.wanted_side, picture_side))


@asynccontextmanager
async def _lent(
    loan: AbstractContextManager[Predictor], threads: ThreadPoolExecutor
) -> AsyncGenerator[Predictor, None]:
    """A loan of a model, which may have to be loaded first: that takes seconds, so a thread does it."""
    entering = asyncio.get_running_loop().run_in_executor(threads, loan.__enter__)
    try:
        predictor = await asyncio.shield(entering)
    except asyncio.CancelledError:
        entering.add_done_callback(partial(_return_loan, loan))
        raise
    try:
        yield predictor
    finally:
        loan.__exit__(None, None, None)


def _return_loan(loan: AbstractContextManager[Predictor], entered: asyncio.Future[Predictor]) -> None:
    """Give a model back that nobody waited for."""
    if not entered.cancelled() and entered.exception() is None:
        loan.__exit__(None, None, None)
