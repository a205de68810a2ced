"""Workspaces: the owners of everything else."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from limner.annotations.annotation import Json
from limner.core.errors import ConflictError, NotFoundError, UsageError
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.tables import WORKSPACES


@dataclass(frozen=True, slots=True)
class Workspace:
    """An owner of jobs, documents, models and tokens."""

    id: str
    #: What people call it; there are no two of the same name.
    name: str
    #: What has been set for it, as JSON values.
    settings: Mapping[str, Any]
    created_at: datetime


class Workspaces:
    """All workspaces."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, name: str, settings: Mapping[str, Json] | None = None) -> Workspace:
        """A new workspace; raises `ConflictError` where the name is taken."""
        row = {"id": uuid.uuid4().hex, "name": _named(name), "settings": dict(settings or {}), "created_at": now()}
        try:
            with self._db.write() as c:
                c.execute(WORKSPACES.insert(), row)
        except sa.exc.IntegrityError as error:
            raise ConflictError(f"There is a workspace called {name!r} already.") from error
        return self.get(str(row["id"]))

    def ensure(self, name: str) -> Workspace:
        """The workspace of that name, made where it is missing."""
        found = self.named(name)
        try:
            return found or self.create(name)
        except ConflictError:  # another process was quicker
            return self.named(name) or self.create(name)

    def get(self, workspace_id: str) -> Workspace:
        """One workspace; raises `NotFoundError`."""
        with self._db.read() as c:
            row = c.execute(sa.select(WORKSPACES).where(WORKSPACES.c.id == workspace_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no workspace {workspace_id}.")
        return _workspace(row)

    def named(self, name: str) -> Workspace | None:
        """The workspace of that name, or None."""
        with self._db.read() as c:
            row = c.execute(sa.select(WORKSPACES).where(WORKSPACES.c.name == name)).one_or_none()
        return None if row is None else _workspace(row)

    def list(self) -> Sequence[Workspace]:
        """All, by name."""
        with self._db.read() as c:
            return [_workspace(row) for row in c.execute(sa.select(WORKSPACES).order_by(WORKSPACES.c.name))]

    def configure(self, workspace_id: str, settings: Mapping[str, Json]) -> Workspace:
        """Set some things; None takes a setting back. Raises `NotFoundError`."""
        with self._db.write() as c:
            one = WORKSPACES.c.id == workspace_id
            row = c.execute(sa.select(WORKSPACES).where(one).with_for_update()).one_or_none()
            if row is None:
                raise NotFoundError(f"There is no workspace {workspace_id}.")
            merged = {key: value for key, value in {**row.settings, **settings}.items() if value is not None}
            c.execute(WORKSPACES.update().where(one).values(settings=merged))
        return self.get(workspace_id)

    def delete(self, workspace_id: str) -> None:
        """Forget a workspace and everything in it; its blobs are the caller's to delete."""
        with self._db.write() as c:
            if not c.execute(WORKSPACES.delete().where(WORKSPACES.c.id == workspace_id)).rowcount:
                raise NotFoundError(f"There is no workspace {workspace_id}.")


def _named(name: str) -> str:
    if not name.strip() or len(name) > 200:
        raise UsageError("A workspace needs a name of at most 200 characters.")
    return name.strip()


def _workspace(row: Row[Any]) -> Workspace:
    return Workspace(row.id, row.name, row.settings, row.created_at)
