"""What Label Studio's wish for training starts: its project is exported, taken in as a dataset, and learnt from.

It takes a while, and Label Studio does not wait: a thread does it. Afterwards the project remembers the run, or why
there is none.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.core.errors import FormatError, LimnerError, NotFoundError, SourceError, UsageError
from limner.operations.datasets.gathering import Wishes
from limner.operations.datasets.importing import How, import_dataset
from limner.operations.foreign.labelstudio.config import parse_config
from limner.operations.foreign.labelstudio.exchange import image_of
from limner.operations.foreign.labelstudio.projects import Project, Projects
from limner.operations.runs.desk import RunDesk
from limner.operations.runs.prepare import architecture_of
from limner.sources.base64 import data_of
from limner.sources.naming import safe_name
from limner.sources.net.request import Kind

logger = logging.getLogger(__name__)

#: How a run's states are called there.
_STATES = {"queued": "queued", "running": "started", "succeeded": "finished"}
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class ProjectTraining:
    """Learning from one project."""

    desk: RunDesk
    project: Project
    #: The labelling configuration, where Label Studio has told it.
    config: str | None
    #: What addresses of this server begin with.
    base: str

    def start(self) -> threading.Thread:
        """Begin, in a thread; raises `UsageError` where it cannot be. One that is under way is not begun again."""
        if not self.project.hostname:
            raise UsageError("Label Studio has not said where it is.", hint="Save its model connection again.")
        thread = threading.Thread(target=self._run, name=f"limner-labelstudio-{self.project.id}", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        projects = Projects(self.desk.database, self.desk.workspace_id)
        try:
            run = self.begin()
            projects.note_training(self.project.id, run=run, error=None)
        except LimnerError as error:
            logger.warning("Project %s of Label Studio was not learnt from: %s", self.project.id, error)
            projects.note_training(self.project.id, run=None, error=str(error))
        except Exception:
            logger.exception("Project %s of Label Studio was not learnt from", self.project.id)
            projects.note_training(self.project.id, run=None, error="It failed unexpectedly; see the server's log.")

    def begin(self) -> str:
        """Export the project, take it in and begin a run: its id. Blocks; raises a `LimnerError`."""
        name = f"labelstudio-{self.project.id or 'project'}".lower()
        with tempfile.TemporaryDirectory(prefix="limner-labelstudio-") as folder:
            place = Path(folder)
            asyncio.run(self._fetch(place))
            store, context = self.desk.place.datasets, self.desk.services.sources
            imported = import_dataset(place, store, Wishes(name=name), How(format="labelstudio"), context)
        values: dict[str, object] = {"dataset": imported.dataset.ref, "name": name, "base": self._begins()}
        return self.desk.create(values, self.base).id

    def _begins(self) -> str | None:
        """The project's model, where training can go on from it; else that of an earlier run for the project."""
        library = self.desk.services.libraries.of(self.desk.workspace_id)
        for name in (self.project.model, f"labelstudio-{self.project.id or 'project'}".lower()):
            if name is None:
                continue
            try:
                architecture_of(library.get(name))
            except LimnerError:
                continue
            return name
        return None

    async def _fetch(self, folder: Path) -> None:
        """The project's annotations and images, as a folder."""
        downloader, project = self.desk.services.fresh_sources.downloader, self.project
        url = f"{project.hostname}/api/projects/{project.id}/export?exportType=JSON"
        download = await downloader.fetch(url, Kind.FILE, authorization=project.authorization)
        tasks = _tasks(await asyncio.to_thread(download.path.read_bytes))
        key = _image_key(self.config, tasks)
        for number, task in enumerate(tasks):
            task["data"] = {key: await self._image(task, key, number, folder)}
        (folder / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")

    async def _image(self, task: Mapping[str, Any], key: str, number: int, folder: Path) -> str:
        text = task["data"].get(key)
        if not isinstance(text, str) or not text:
            raise SourceError(f"The task {task.get('id')!r} has no image under the key {key!r}.")
        async with image_of(text, self.project, self.desk.services.downloader) as image:
            if isinstance(image.content, str):
                content = io.BytesIO(data_of(image.content, self.desk.services.settings.fetch_max_bytes))
                await asyncio.to_thread(_copy, content, folder / f"{number:06}.png")
                return f"{number:06}.png"
            name = f"{number:06}-{safe_name(image.name, 'image')}"
            await asyncio.to_thread(_copy, image.content, folder / name)
            return name


def _copy(source: Any, path: Path) -> None:  # noqa: ANN401 - a file
    with path.open("wb") as target:
        shutil.copyfileobj(source, target, _BLOCK)


def _tasks(data: bytes) -> list[dict[str, Any]]:
    """The tasks of an export that people have annotated; raises `FormatError`."""
    try:
        found = json.loads(data)
    except ValueError as error:
        raise FormatError(f"Label Studio's export is no JSON: {error}.") from error
    if not isinstance(found, list):
        raise FormatError("Label Studio's export is no list of tasks.")
    tasks = [each for each in found if isinstance(each, dict) and isinstance(each.get("data"), dict)]
    annotated = [each for each in tasks if each.get("annotations")]
    if not annotated:
        raise UsageError("Nobody has annotated a task of this project yet: there is nothing to learn from.")
    return annotated


def _image_key(config: str | None, tasks: list[dict[str, Any]]) -> str:
    """Where the tasks' data holds the address of the image."""
    if config:
        return parse_config(config).key
    texts = [str(key) for key, value in tasks[0]["data"].items() if isinstance(value, str)]
    if not texts:
        raise FormatError("The tasks of Label Studio's export name no image.")
    return next((key for key in texts if "image" in key.lower()), texts[0])


def job_state(desk: RunDesk, run: str | None, error: str | None) -> dict[str, Any]:
    """A training as Label Studio asks for it."""
    if run is None:
        return {"job_status": "failed" if error else "removed", "error": error}
    try:
        job = desk.get(run).job
    except NotFoundError:
        return {"job_status": "removed", "error": None}
    return {"job_status": _STATES.get(job.status, "failed"), "error": None if job.error is None else job.error.message}
