"""The client for ordinary code."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from limner.annotations.document import AnnotatedPage
from limner.client.call import Call
from limner.client.calls import datasets, documents, evaluations, jobs
from limner.client.calls.documents import DocumentRef
from limner.client.calls.jobs import JobRef
from limner.client.events import Following
from limner.client.results import pages_in
from limner.client.retry import Attempts, reading
from limner.client.surface import (
    AtOnce,
    Blocking,
    DatasetCalls,
    DocumentCalls,
    EvaluationCalls,
    JobCalls,
    ModelCalls,
    RouteCalls,
    RunCalls,
    TokenCalls,
    WorkspaceCalls,
)
from limner.client.values import Job, JobEvent, Listing, Values
from limner.client.wire import Connection, Lines, answer_of, checked, failed, parts, place_for
from limner.core.errors import LimnerError

T = TypeVar("T")


class Transport:
    """Sends calls and reads answers, trying again where that is safe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._server = connection.base_url
        self._http = httpx.Client(**connection.settings())

    def send(self, call: Call[T]) -> T:
        """Make a call; raises `ApiError` or `ServerUnreachableError`."""
        with self._stream(call, whole=True) as response:
            return call.read(answer_of(response))

    def every(self, call: Call[Listing[T]]) -> Iterator[T]:
        """All items of a list, as many requests as it takes."""
        while True:
            part = self.send(call)
            yield from part.items
            if part.next is None:
                return
            call = call.having(cursor=part.next)

    def save(self, call: Call[Any], to: Path) -> Path:
        """Write an answer to a file, or into a folder, piece by piece; it is there only when it is complete."""
        with self._stream(call) as response:
            path, partial = place_for(to, response)
            try:
                with partial.open("wb") as file, reading(self._server):
                    for piece in response.iter_bytes():
                        file.write(piece)
                return partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    def lines(self, call: Call[Any], silence: float | None = None) -> Generator[str, None, None]:
        """The lines of an answer as they arrive; ``silence`` is how long none may, in seconds."""
        lines = Lines()
        with self._stream(call, silence) as response, reading(self._server):
            for piece in response.iter_bytes():
                yield from lines.feed(piece)
        yield from lines.end()

    def follow(self, following: Following) -> Iterator[JobEvent]:
        """The events of a job until it ends, across lost connections."""
        while True:
            error: LimnerError | None = None
            try:
                with closing(self.lines(following.call(), following.silence)) as lines:
                    for line in lines:
                        if (event := following.feed(line)) is not None:
                            yield event
                if following.final:
                    return
            except LimnerError as caught:
                error = caught
            time.sleep(following.lost(error, self._server))

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    @contextmanager
    def _stream(
        self, call: Call[Any], silence: float | None = None, *, whole: bool = False
    ) -> Iterator[httpx.Response]:
        """The answer to a call, its body still to be read unless ``whole``; raises `ApiError` for a refusal."""
        response = self._begin(call, silence, whole=whole)
        try:
            if failed(response):
                with reading(self._server):
                    response.read()
                checked(answer_of(response))
            yield response
        finally:
            response.close()

    def _begin(self, call: Call[Any], silence: float | None, *, whole: bool) -> httpx.Response:
        """An answer, or its head, after as many attempts as it takes and is allowed."""
        attempts = Attempts(call, self._connection.retries)
        while True:
            try:
                response = self._once(call, silence, whole=whole)
            except httpx.TransportError as error:
                time.sleep(attempts.after_error(error, self._server))
                continue
            pause = attempts.after(response.status_code, response.headers)
            if pause is None:
                return response
            response.close()
            time.sleep(pause)

    def _once(self, call: Call[Any], silence: float | None, *, whole: bool) -> httpx.Response:
        with ExitStack() as stack:
            request = self._http.build_request(**parts(call, stack))
            if silence is not None:
                request.extensions["timeout"] = self._connection.silence(silence).as_dict()
            return self._http.send(request, stream=not whole)


class Jobs(JobCalls, Blocking):
    """Work that the server does page by page."""

    transport: Transport

    def save_results(self, job: JobRef, to: str | Path, format: str = "jsonl") -> Path:  # noqa: A002
        """Write what was found so far to a file, or into a folder under the name that the server gives; its path.

        It is a zip where the format makes several files, or the job has several documents.
        """
        return self.transport.save(jobs.results_file(job, format), Path(to))

    def annotated_pages(self, job: JobRef) -> Iterator[AnnotatedPage]:
        """The pages that are done or have failed so far, with their annotations, document by document."""
        with TemporaryDirectory(prefix="limner-") as folder:
            yield from pages_in(self.save_results(job, folder))

    def events(self, job: JobRef, *, after: str | None = None, timeout: float | None = None) -> Iterator[JobEvent]:
        """What happens to a job, as it happens, until it has ended; lost connections are taken up again.

        ``after`` is the id of the last event already known. ``timeout`` is in seconds, and looked at
        whenever the server says something: at least every 15 s. Raises `TimeoutError`.
        """
        return self.transport.follow(Following(jobs.identity(job), after=after, timeout=timeout))

    def wait(
        self, job: JobRef, timeout: float | None = None, on_event: Callable[[JobEvent], None] | None = None
    ) -> Job:
        """Wait until a job has ended; the job as it is then. Raises `TimeoutError`, as `events` does."""
        for event in self.events(job, timeout=timeout):
            if on_event is not None:
                on_event(event)
        return self.get(job)


class Documents(DocumentCalls, Blocking):
    """Documents that the server keeps."""

    transport: Transport

    def save_export(self, document: DocumentRef, to: str | Path, format: str) -> Path:  # noqa: A002
        """Write a document to a file, or into a folder under the name that the server gives; its path.

        It is a zip where the format makes several files.
        """
        return self.transport.save(documents.export_file(document, format), Path(to))


class Datasets(DatasetCalls, Blocking):
    """Datasets of the workspace."""

    transport: Transport

    def save_export(self, dataset: str, to: str | Path, format: str = "coco") -> Path:  # noqa: A002
        """Write a dataset with its images as a zip file, or into a folder under the name that the server gives."""
        return self.transport.save(datasets.export_file(dataset, format), Path(to))


class Models(ModelCalls, Blocking):
    """Models that the server has."""


class Evaluations(EvaluationCalls, Blocking):
    """Models measured on the held-out pages of a dataset."""

    transport: Transport

    def save_report(self, evaluation: Values, folder: str | Path) -> Path:
        """Write all files of a finished evaluation into a folder, which is made; the path of the page for people."""
        (Path(folder) / "report").mkdir(parents=True, exist_ok=True)
        for call, to in evaluations.report_places(evaluation, Path(folder)):
            self.transport.save(call, to)
        return Path(folder) / "report.html"


class Runs(RunCalls, Blocking):
    """Trainings that the server carries out."""


class Tokens(TokenCalls, Blocking):
    """Who may come in to this workspace."""


class Workspaces(WorkspaceCalls, Blocking):
    """The owners of everything else; for admins of the server."""


class Routes(RouteCalls, Blocking):
    """Which model documents of which type go to."""


class Client(AtOnce, Blocking):
    """A Limner server, for ordinary code; used from any thread, and closed, or used with ``with``.

    ``timeout`` is how long to wait for the server's next word, in seconds: annotating at once is
    silent until it is done. Calls that may be repeated are tried again ``retries`` times when the
    server cannot be reached or is busy.
    """

    transport: Transport

    def __init__(self, base_url: str, token: str | None = None, *, timeout: float = 300.0, retries: int = 3) -> None:
        transport = Transport(Connection(base_url, token, timeout, retries))
        super().__init__(transport)
        self.jobs = Jobs(transport)
        self.documents = Documents(transport)
        self.models = Models(transport)
        self.datasets = Datasets(transport)
        self.evaluations = Evaluations(transport)
        self.runs = Runs(transport)
        self.tokens = Tokens(transport)
        self.workspaces = Workspaces(transport)
        self.routes = Routes(transport)

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
