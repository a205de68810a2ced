"""What Label Studio's backend does: set a project up, and predict for its tasks within the time that it waits."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from limner.core.errors import (
    LimnerError,
    ModelError,
    ModelNotFoundError,
    SourceError,
    TooManyRequestsError,
    UsageError,
)
from limner.models.bundle import Bundle, Task
from limner.models.protocol import Options
from limner.operations.foreign.choice import model_for
from limner.operations.foreign.labelstudio.config import LabelConfig, parse_config
from limner.operations.foreign.labelstudio.exchange import LateSender, image_of
from limner.operations.foreign.labelstudio.later import Flight, Later
from limner.operations.foreign.labelstudio.projects import Project, Projects
from limner.operations.foreign.labelstudio.results import Prediction, prediction
from limner.operations.foreign.once import annotate_image, first_page
from limner.operations.services import Services
from limner.storage.database import Database

#: Most tasks in one request: more images than these cannot be had in the time that Label Studio waits.
MOST_TASKS = 1000
#: What a model is to do, best first, by what there is to be filled in.
_READS: tuple[Task, ...] = ("ocr",)
_OUTLINES: tuple[Task, ...] = ("segment", "detect")
_BOXES: tuple[Task, ...] = ("detect", "segment")
_ANYTHING: tuple[Task, ...] = ("detect", "segment", "ocr")


@dataclass(frozen=True, slots=True)
class LabelTask:
    """A task of Label Studio: an image to be labelled."""

    #: None where it has no number yet.
    id: int | str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What Label Studio asks to have predicted."""

    tasks: Sequence[LabelTask]
    project: str
    label_config: str
    #: The version that people have chosen there; what it no longer knows counts for nothing.
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done with each task."""

    project: Project
    config: LabelConfig
    bundle: Bundle
    #: Tells apart what is asked for under different conditions.
    key: Hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The backend in one workspace."""

    database: Database
    services: Services
    later: Later
    workspace_id: str
    sender: LateSender = field(repr=False)
    #: How long a request may take before what is missing is sent later, seconds.
    patience: float

    def set_up(self, project: Project, schema: str | None) -> Bundle:
        """Remember a project; the model that will answer for it, which is not loaded. Blocks.

        Raises `ModelNotFoundError` or `UsageError`. A configuration that is not ready yet is no hindrance.
        """
        bundle = self._model(project, _config_or_none(schema), None)
        Projects(self.database, self.workspace_id).keep(project)
        return bundle

    async def predict(self, wanted: Wanted) -> list[Prediction]:
        """A prediction for each task, in their order; empty where it is under way or went wrong, and then it says so.

        What is under way when the patience is at its end is sent to Label Studio's API when it is there. Raises
        `UsageError`, and `ModelError` or `TooManyRequestsError` where that is why all have failed.
        """
        if len(wanted.tasks) > MOST_TASKS:
            raise UsageError(f"{len(wanted.tasks)} tasks are too many for one request; the most is {MOST_TASKS}.")
        work = await asyncio.to_thread(self._work, wanted)
        keys = [_key(work, task, place) for place, task in enumerate(wanted.tasks)]
        flights = [
            self.later.start(key, (self.workspace_id, work.bundle.ref), partial(self._predicted, work, task))
            for key, task in zip(keys, wanted.tasks, strict=True)
        ]
        if flights:
            await asyncio.wait(flights, timeout=self.patience)
        _raise_common(flights)
        return [
            _outcome(flight, work) if flight.done() else self._sent_later(work, task, key, flight)
            for key, task, flight in zip(keys, wanted.tasks, flights, strict=True)
        ]

    def _work(self, wanted: Wanted) -> _Work:
        project = Projects(self.database, self.workspace_id).find(wanted.project)
        config = parse_config(wanted.label_config)
        bundle = self._model(project, config, wanted.model_version)
        digest = hashlib.sha256(wanted.label_config.encode()).hexdigest()
        return _Work(project, config, bundle, (self.workspace_id, project, bundle.ref, digest))

    def _model(self, project: Project, config: LabelConfig | None, version: str | None) -> Bundle:
        """The version that people have chosen, else the project's model, else what fits the configuration."""
        library = self.services.libraries.of(self.workspace_id)
        if version and "@" in version:
            try:
                return library.get(version)
            except ModelNotFoundError:  # an older version, or that of another backend
                pass
        if project.model is not None:
            return library.get(project.model)
        tasks = _tasks_for(config)
        return model_for("labelstudio", tasks, self.database, self.services, workspace_id=self.workspace_id)

    async def _predicted(self, work: _Work, task: LabelTask) -> Prediction:
        text = _image_text(task, work.config.key)
        options = Options(work.project.threshold)
        async with image_of(text, work.project, self.services.downloader) as image:
            result = await annotate_image(image, work.bundle, options, self.services, workspace_id=self.workspace_id)
        found = first_page(result).annotated
        return await asyncio.to_thread(prediction, found, work.config, result.model, work.bundle.labels)

    def _sent_later(self, work: _Work, task: LabelTask, key: Hashable, flight: Flight) -> Prediction:
        """Nothing for now. Its version is not the model's: Label Studio will ask again if nothing should come."""
        if task.id is None or not work.project.hostname:
            reason = "This takes longer than Label Studio waits, and it has not said where to send it."
        else:
            self.later.send(key, flight, partial(self.sender.send, work.project, task.id))
            reason = "This takes longer than Label Studio waits; it is sent when it is there."
        return Prediction(f"{work.bundle.ref} under way", 0.0, [], reason)


def _config_or_none(schema: str | None) -> LabelConfig | None:
    try:
        return parse_config(schema) if schema else None
    except UsageError:
        return None


def _tasks_for(config: LabelConfig | None) -> Sequence[Task]:
    if config is None:
        return _ANYTHING
    if "textarea" in config.controls:
        return _READS
    boxes = config.first(("rectanglelabels", "rectangle")) is not None
    return _BOXES if boxes else _OUTLINES


def _image_text(task: LabelTask, key: str) -> str:
    """Where a task says that its image is; a key with dots leads into its data."""
    found: Any = task.data.get(key)
    if found is None:
        found = task.data
        for part in key.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if not isinstance(found, str) or not found:
        raise SourceError(f"The task {task.id!r} has no image under the key {key!r}.")
    return found


def _key(work: _Work, task: LabelTask, place: int) -> Hashable:
    data = hashlib.sha256(json.dumps(task.data, sort_keys=True).encode()).hexdigest()
    return (work.key, place if task.id is None else str(task.id), data)


def _raise_common(flights: Sequence[Flight]) -> None:
    """Raise why everything has failed, where the model is to blame: then no task is any better than the other."""
    errors = [flight.exception() for flight in flights if flight.done()]
    if errors and len(errors) == len(flights):
        first = errors[0]
        if isinstance(first, ModelError | TooManyRequestsError) and None not in errors:
            raise first


def _outcome(flight: Flight, work: _Work) -> Prediction:
    """What came of a task; an image that cannot be had or read is the fault of this task alone."""
    error = flight.exception()
    if error is None:
        return flight.result()
    if not isinstance(error, LimnerError):
        raise error
    return Prediction(work.bundle.ref, 0.0, [], str(error))
