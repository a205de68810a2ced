"""Durable execution, by DBOS Transact: this file is all that knows it.

A *lane* is a workflow that takes one task after another off a queue; each task is a step. DBOS writes
down that a lane has begun, which process runs it and which steps it has finished. When the process
dies the lane is still there: the process finds it when it starts again, or another is told to resume
it, and it goes on with the task it held.

Which task is next is not decided here: ``docs/explanation/decisions/0002-jobs-on-dbos.md`` says why.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from limner.core.errors import ConflictError
from limner.storage.database import Database

if TYPE_CHECKING:
    from dbos import DBOSConfig, WorkflowStatus

#: Lanes of another version are not resumed: raise it when the steps of a lane change. DBOS would take
#: a hash of the source, and so forget all work in progress at every release.
VERSION = "limner-lanes-1"
_NAME = "limner.lane"
_SCHEMA = "limner_lanes"
#: Seconds. Everything that is urgent comes by other ways.
_POLL = 1.0


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane as DBOS knows it."""

    id: str
    #: The process that runs it or ran it last.
    executor: str
    #: Whether it is running, or will be as soon as a process takes it up.
    live: bool
    #: Whether it has ended, well or not.
    ended: bool = False


class Durable:
    """The lanes of this process; there can be one such object in use at a time."""

    _in_use: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, database: Database, executor: str) -> None:
        self._database = database
        self._executor = executor
        self._workflow: Callable[[str], int] | None = None

    def start(self, body: Callable[[str, str], int]) -> None:
        """Begin, and take up the lanes that this process left when it last ended.

        ``body`` is called with the id and the queue of each lane, and returns how many tasks it did.
        """
        if not Durable._in_use.acquire(blocking=False):
            raise ConflictError("There is a job engine in this process already.")
        try:
            self._launch(body)
        except BaseException:
            self.stop()
            raise

    def _launch(self, body: Callable[[str, str], int]) -> None:
        # Before DBOS is imported, or it would write to the console in a form of its own.
        logging.getLogger("dbos").addHandler(logging.NullHandler())
        from dbos import DBOS

        if self._database.sqlite:
            _prepare_sqlite(self.file)
        DBOS(config=self.config())

        def lane(queue: str) -> int:
            return body(str(DBOS.workflow_id), queue)

        # The number of attempts is ours to limit, page by page.
        self._workflow = DBOS.workflow(name=_NAME, max_recovery_attempts=None)(lane)
        DBOS.launch()

    def stop(self) -> None:
        """End; lanes that are still running are taken up later, here or elsewhere."""
        from dbos import DBOS

        self._workflow = None
        try:
            DBOS.destroy(destroy_registry=True)
        finally:
            Durable._in_use.release()

    def run(self, lane_id: str, queue: str) -> None:
        """Start a lane on a queue."""
        from dbos import DBOS, SetWorkflowID

        if self._workflow is None:
            raise ConflictError("The job engine is not running.")
        with SetWorkflowID(lane_id):
            DBOS.start_workflow(self._workflow, queue)

    def step(self, act: Callable[[], bool]) -> bool:
        """Do something from within a lane, once: where it had been finished before a crash, give its answer."""
        from dbos import DBOS

        return DBOS.run_step({"name": "task"}, act)

    def pending(self) -> Sequence[Lane]:
        """The lanes that are running, or were when their process died."""
        from dbos import DBOS

        found = DBOS.list_workflows(
            status="PENDING", name=_NAME, app_version=VERSION, load_input=False, load_output=False
        )
        return [_lane(status) for status in found]

    def lanes(self, ids: Collection[str]) -> Mapping[str, Lane]:
        """Those lanes that DBOS knows."""
        from dbos import DBOS

        if not ids:
            return {}
        found = DBOS.list_workflows(workflow_ids=list(ids), load_input=False, load_output=False)
        return {status.workflow_id: _lane(status) for status in found}

    def resume(self, lane_id: str) -> None:
        """Have a lane whose process is dead taken up by any that lives; never call it for one that runs."""
        from dbos import DBOS

        DBOS.resume_workflow(lane_id)

    def forget(self, before: datetime, *, limit: int = 1000) -> int:
        """Forget lanes that ended before then, at most so many; how many."""
        from dbos import DBOS

        ended = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            name=_NAME,
            completed_before=before.isoformat(),
            limit=limit,
            load_input=False,
            load_output=False,
        )
        if ended:
            DBOS.delete_workflows([status.workflow_id for status in ended])
        return len(ended)

    @property
    def file(self) -> Path:
        """DBOS's own database, beside ours; on PostgreSQL it is a schema of its own."""
        return Path(self._database.url.database or "").with_name("lanes.db")

    def config(self) -> DBOSConfig:
        """How DBOS is run: on our database, telling nobody, without its paid features."""
        from dbos import DBOSPortableJSONSerializer

        if self._database.sqlite:
            place: dict[str, Any] = {"system_database_url": f"sqlite:///{self.file}"}
        else:
            url = self._database.url.render_as_string(hide_password=False)
            place = {"system_database_url": url, "dbos_system_schema": _SCHEMA}
        config: DBOSConfig = {
            "name": "limner",
            "application_version": VERSION,
            "executor_id": self._executor,
            # The default is pickle.
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "ERROR",
            "enable_otlp": False,
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": _POLL,
            "scheduler_polling_interval_sec": 3600.0,
            "sys_db_pool_size": 8,
            **place,  # type: ignore[typeddict-item]
        }
        return config


def _prepare_sqlite(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _lane(status: WorkflowStatus) -> Lane:
    ended = status.status not in ("PENDING", "ENQUEUED")
    live = not ended and status.app_version in (VERSION, None)
    return Lane(status.workflow_id, status.executor_id or "", live, ended)
