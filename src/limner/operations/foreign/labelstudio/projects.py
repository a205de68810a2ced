"""What Label Studio says of its projects when it sets them up; kept among the settings of the workspace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from limner.core.errors import UsageError
from limner.storage.database import Database
from limner.storage.workspaces import Workspaces

_PREFIX = "labelstudio:"
#: Most projects of a workspace that are remembered: those that were set up last.
MOST = 200
_TOKEN = re.compile(r"[\x21-\x7e]{0,2000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project, and the way back to the Label Studio that it belongs to."""

    #: Its number there; empty where Label Studio names none.
    id: str = ""
    #: Address of Label Studio, without a slash at the end; empty where it has not said it.
    hostname: str = ""
    #: What it lets us in with. Never shown to anybody.
    access_token: str = field(default="", repr=False)
    #: The model chosen in the extra parameters; None to choose by the configuration.
    model: str | None = None
    #: The least score chosen there, 0 to 1; None for the model's own.
    threshold: float | None = None
    #: When it was set up, ISO 8601.
    set_up_at: str = ""
    #: When training was asked for last, ISO 8601.
    training_asked_at: str | None = None
    #: Id of the run that was begun then, or why there is none.
    training_run: str | None = None
    training_error: str | None = None

    @property
    def authorization(self) -> str:
        """The header that its images, and predictions for it, are asked for and sent with."""
        return f"Token {self.access_token}" if self.access_token else ""


def project_id(told: object) -> str:
    """The number of a project, from ``12.1700000000`` (with the time when it was made) or 12."""
    identity = str(told if told is not None else "").partition(".")[0]
    if not re.fullmatch(r"[\w-]{0,100}", identity, re.ASCII):
        raise UsageError(f"{identity[:80]!r} is no number of a project.")
    return identity


class Projects:
    """The projects that use one workspace. All methods block."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._workspaces = Workspaces(database)
        self._id = workspace_id

    def find(self, identity: str) -> Project:
        """A project; one that was never set up has nothing but its number."""
        return _project(identity, self._workspaces.get(self._id).settings.get(_PREFIX + identity))

    def keep(self, project: Project) -> None:
        """Remember a project, and forget those beyond `MOST`; raises `UsageError` for a token that can be none."""
        if not _TOKEN.fullmatch(project.access_token):
            raise UsageError("The access token is none that could be sent in a header.")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        known = asdict(self.find(project.id))
        trained = {key: value for key, value in known.items() if key.startswith("training_")}
        values = {key: value for key, value in asdict(project).items() if key != "id"} | {"set_up_at": now} | trained
        self._workspaces.configure(self._id, {_PREFIX + project.id: values, **self._surplus(project.id)})

    def asked_to_train(self, identity: str) -> None:
        """Note that Label Studio would like a model to be trained for a project, if it is known."""
        if _PREFIX + identity not in self._workspaces.get(self._id).settings:
            return
        asked = datetime.now(UTC).isoformat(timespec="seconds")
        self._change(identity, training_asked_at=asked, training_run=None, training_error=None)

    def note_training(self, identity: str, *, run: str | None, error: str | None) -> None:
        """Note which run was begun for a project, or why there is none."""
        if _PREFIX + identity in self._workspaces.get(self._id).settings:
            self._change(identity, training_run=run, training_error=error)

    def _change(self, identity: str, **changes: str | None) -> None:
        known = {key: value for key, value in asdict(self.find(identity)).items() if key != "id"}
        self._workspaces.configure(self._id, {_PREFIX + identity: known | changes})

    def _surplus(self, coming: str) -> dict[str, None]:
        settings = self._workspaces.get(self._id).settings
        known = [key for key in settings if key.startswith(_PREFIX) and key != _PREFIX + coming]
        known.sort(key=lambda key: str(settings[key].get("set_up_at")), reverse=True)
        return dict.fromkeys(known[MOST - 1 :])


def _project(identity: str, kept: Mapping[str, Any] | None) -> Project:
    names = set(Project.__dataclass_fields__) - {"id"}
    return Project(id=identity, **{key: value for key, value in (kept or {}).items() if key in names})
