"""Which model answers the client of another system, who names none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from limner.core.errors import ModelNotFoundError, UsageError
from limner.models.bundle import Bundle, Task
from limner.operations.library import ModelLibrary
from limner.operations.services import Services
from limner.storage.database import Database
from limner.storage.routes import DEFAULT, Routes

#: The model that reads text where a workspace has chosen no other.
_READER = "text"
_DOES = {"detect": "detects", "segment": "segments", "ocr": "reads text"}


def model_for(
    system: str, tasks: Sequence[Task], database: Database, services: Services, *, workspace_id: str
) -> Bundle:
    """The model that a workspace lets a system's clients use; the tasks are those that will do, best first.

    That is the model of the route named like the system, whatever it does; else the default one if it will do; else
    the newest that will. Blocks. Raises `ModelNotFoundError`, or `UsageError` for a route to a model that will not do.
    """
    library = services.libraries.of(workspace_id)
    routes = {route.document_type: route.model for route in Routes(database, workspace_id).list()}
    if system in routes:
        return _will_do(library.get(routes[system]), system, tasks)
    for bundle in _usual(library, routes.get(DEFAULT)):
        if bundle.task in tasks:
            return bundle
    for task in tasks:
        if found := _newest(library, task):
            return found
    does = " or ".join(_DOES[task] for task in tasks)
    raise ModelNotFoundError(f"There is no model here that {does}.", hint="Add one with `limner models add`.")


def _will_do(bundle: Bundle, system: str, tasks: Sequence[Task]) -> Bundle:
    if bundle.task not in tasks:
        does = " or ".join(_DOES[task] for task in tasks)
        raise UsageError(
            f"The route {system!r} goes to {bundle.ref}, which {_DOES[bundle.task]}.",
            hint=f"Send it to a model that {does}: PUT /v1/routes/{system}.",
        )
    return bundle


def _usual(library: ModelLibrary, route: str | None) -> Iterator[Bundle]:
    """The models that a workspace uses where nothing else is said."""
    for name in (route, "default"):
        if name is None:
            continue
        try:
            yield library.get(name)
        except ModelNotFoundError:  # a default need not be set
            continue


def _newest(library: ModelLibrary, task: Task) -> Bundle | None:
    """A model for a task: what reads text out of the box, or else the one that was added to the workspace last."""
    if task == "ocr":
        return library.get(_READER)
    found = [bundle for bundle in library.list() if bundle.task == task and bundle.folder is not None]
    own = [bundle for bundle in found if bundle.folder and bundle.folder.is_relative_to(library.store.folder)]
    return max(own or found, key=_added, default=None)


def _added(bundle: Bundle) -> float:
    """When a bundle came, seconds since 1970."""
    assert bundle.folder is not None  # noqa: S101 - built-in ones were left out
    return bundle.folder.stat().st_mtime
