"""Which model reads which type of document, in a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from limner.core.errors import NotFoundError, UsageError
from limner.storage.database import Database, insert_if_absent
from limner.storage.tables import ROUTES

#: The document type that stands for every other.
DEFAULT = "*"


@dataclass(frozen=True, slots=True)
class Route:
    """Documents of a type go to a model."""

    #: ``manuscript``, ``print``, …; ``*`` for all that have no route of their own.
    document_type: str
    model: str


class Routes:
    """The routes of one workspace."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._db = database
        self._workspace = workspace_id

    def set(self, document_type: str, model: str) -> Route:
        """Send a type of document to a model."""
        name = document_type.strip().lower()
        if not name or not model or len(name) > 100:
            raise UsageError("A route needs a type of document, of at most 100 characters, and a model.")
        with self._db.write() as c:
            key = {"workspace_id": self._workspace, "document_type": name}
            insert_if_absent(c, ROUTES, {**key, "model": model})
            c.execute(ROUTES.update().where(self._one(name)).values(model=model))
        return Route(name, model)

    def resolve(self, document_type: str | None) -> str:
        """The model for a type of document, or the default; raises `NotFoundError` where there is neither."""
        found = {route.document_type: route.model for route in self.list()}
        model = found.get((document_type or DEFAULT).strip().lower(), found.get(DEFAULT))
        if model is None:
            raise NotFoundError(
                f"No model is set for documents of the type {document_type!r}.",
                hint=f"Known: {', '.join(found)}." if found else "Set one, or a default.",
            )
        return model

    def list(self) -> Sequence[Route]:
        """All, by type."""
        query = sa.select(ROUTES).where(ROUTES.c.workspace_id == self._workspace)
        with self._db.read() as c:
            return [Route(row.document_type, row.model) for row in c.execute(query.order_by(ROUTES.c.document_type))]

    def delete(self, document_type: str) -> None:
        """Take a route away; raises `NotFoundError`."""
        with self._db.write() as c:
            if not c.execute(ROUTES.delete().where(self._one(document_type.strip().lower()))).rowcount:
                raise NotFoundError(f"There is no route for documents of the type {document_type!r}.")

    def _one(self, document_type: str) -> sa.ColumnElement[bool]:
        return (ROUTES.c.workspace_id == self._workspace) & (ROUTES.c.document_type == document_type)
