"""The methods of both clients: each is made from the call that it makes, and is typed for either way of waiting."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, Self, TypeVar, cast, overload

from limner.client.call import Call
from limner.client.calls import annotate as at_once
from limner.client.calls import datasets, documents, evaluations, jobs, models, runs, server
from limner.client.values import Listing

P = ParamSpec("P")
T = TypeVar("T")


class BlockingTransport(Protocol):
    """Makes calls and waits for their answers."""

    def send(self, call: Call[T]) -> T:
        """Make a call."""

    def every(self, call: Call[Listing[T]]) -> Iterator[T]:
        """All items of a list, as many calls as it takes."""


class AwaitedTransport(Protocol):
    """Makes calls whose answers are awaited."""

    async def send(self, call: Call[T]) -> T:
        """Make a call."""

    def every(self, call: Call[Listing[T]]) -> AsyncIterator[T]:
        """All items of a list, as many calls as it takes."""


class Blocking:
    """A part of the API whose methods wait."""

    def __init__(self, transport: BlockingTransport) -> None:
        self.transport = transport


class Awaited:
    """A part of the API whose methods are awaited."""

    def __init__(self, transport: AwaitedTransport) -> None:
        self.transport = transport


class One(Generic[P, T]):
    """A method that makes one call."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, part: None, owner: type) -> Self: ...
    @overload
    def __get__(self, part: Blocking, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, part: Awaited, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, part: Blocking | Awaited | None, owner: type) -> Any:
        """The method of a client, or this."""
        if part is None:
            return self
        transport = cast("BlockingTransport", part.transport)  # or the other: what it gives is what comes back

        def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return transport.send(self._build(*args, **kwargs))

        return _described(method, self._build, self._name, "{}")


class Every(Generic[P, T]):
    """A method that goes through a list, asking for more of it as it goes."""

    def __init__(self, build: Callable[P, Call[Listing[T]]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, part: None, owner: type) -> Self: ...
    @overload
    def __get__(self, part: Blocking, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, part: Awaited, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, part: Blocking | Awaited | None, owner: type) -> Any:
        """The method of a client, or this."""
        if part is None:
            return self
        transport = cast("BlockingTransport", part.transport)

        def method(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            return transport.every(self._build(*args, **kwargs))

        return _described(method, self._build, self._name, "Iterator[{}]")


def _described(method: Callable[..., Any], build: Callable[..., Any], name: str, shape: str) -> Callable[..., Any]:
    """A method with the words and the signature of the call that it makes; ``shape`` is what comes back."""
    signature = inspect.signature(build)
    result = re.sub(r"^Call\[(?:Listing\[(.+)\]|(.+))\]$", r"\1\2", str(signature.return_annotation))
    update_wrapper(method, build)
    method.__name__ = method.__qualname__ = name
    vars(method)["__signature__"] = signature.replace(return_annotation=shape.format(result))
    return method


class AtOnce:
    """What a client does itself."""

    annotate = One(at_once.annotate)
    annotate_as = One(at_once.annotate_as)
    estimate = One(jobs.estimate)
    queue = One(server.queue)
    settings = One(server.settings)
    webhook = One(server.webhook)
    set_webhook = One(server.set_webhook)
    delete_webhook = One(server.delete_webhook)


class JobCalls:
    """Work that the server does page by page."""

    create = One(jobs.create)
    get = One(jobs.get)
    list = Every(jobs.listed)
    pages = Every(jobs.pages)
    documents = Every(jobs.documents)
    results = One(jobs.results)
    cancel = One(jobs.cancel)
    retry = One(jobs.retry)
    delete = One(jobs.delete)
    deliveries = Every(jobs.deliveries)
    replay = One(jobs.replay)


class DocumentCalls:
    """Documents that the server keeps."""

    create = One(documents.create)
    get = One(documents.get)
    list = Every(documents.listed)
    delete = One(documents.delete)
    pages = Every(documents.pages)
    manifest = One(documents.manifest)
    image = One(documents.image)
    annotations = One(documents.annotations_of)
    save = One(documents.save)
    history = Every(documents.history)
    export = One(documents.export)


class ModelCalls:
    """Models that the server has."""

    list = Every(models.listed)
    get = One(models.get)
    upload = One(models.upload)
    delete = One(models.delete)
    set_alias = One(models.set_alias)
    delete_alias = One(models.delete_alias)
    rollback = One(models.rollback)
    test = One(models.test)


class DatasetCalls:
    """Datasets of the workspace."""

    create = One(datasets.create)
    upload = One(datasets.upload)
    list = Every(datasets.listed)
    get = One(datasets.get)
    pages = Every(datasets.pages)
    duplicates = Every(datasets.duplicates)
    image = One(datasets.image)
    split = One(datasets.split)
    delete = One(datasets.delete)


class EvaluationCalls:
    """Models measured on the held-out pages of a dataset."""

    create = One(evaluations.create)
    get = One(evaluations.get)
    report = One(evaluations.report)


class RunCalls:
    """Trainings that the server carries out."""

    create = One(runs.create)
    estimate = One(runs.estimate)
    get = One(runs.get)
    list = Every(runs.listed)
    metrics = Every(runs.metrics)
    sample = One(runs.sample)
    report = One(runs.report)
    stop = One(runs.stop)
    resume = One(runs.resume)
    promote = One(runs.promote)
    delete = One(runs.delete)


class TokenCalls:
    """Who may come in to this workspace."""

    list = Every(server.tokens)
    create = One(server.create_token)
    delete = One(server.delete_token)


class WorkspaceCalls:
    """The owners of everything else; for admins of the server."""

    list = Every(server.workspaces)
    create = One(server.create_workspace)
    delete = One(server.delete_workspace)


class RouteCalls:
    """Which model documents of which type go to."""

    list = Every(server.routes)
    get = One(server.get_route)
    set = One(server.set_route)
    delete = One(server.delete_route)
