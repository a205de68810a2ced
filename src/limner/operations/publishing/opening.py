"""From an address that a viewer asks for to what is published there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from limner.core.errors import NotFoundError
from limner.operations.publishing.documents import PublishedDocument
from limner.operations.publishing.jobs import PublishedJob
from limner.operations.publishing.published import Published
from limner.operations.services import Services
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.documents import Documents
from limner.storage.jobs import Jobs
from limner.storage.shares import Kind, find_share

_KEY = re.compile(r"[A-Za-z0-9_-]{20,64}", re.ASCII)

#: Says why nothing is found, whatever the reason: who guesses shall learn nothing.
NOTHING = "Nothing is published at this address."


@dataclass(frozen=True, slots=True)
class Publisher:
    """Opens what is published. All methods block."""

    database: Database
    blobs: Blobs
    services: Services

    def shared(self, key: str) -> Published | None:
        """What was shared under a key, in whatever workspace; None where nothing is."""
        share = find_share(self.database, key) if _KEY.fullmatch(key) else None
        return None if share is None else self._open(share.workspace_id, share.kind, share.id)

    def own(self, workspace_id: str, identity: str) -> Published:
        """A document or job of a workspace by its id; raises `NotFoundError`."""
        if _KEY.fullmatch(identity):
            for kind in _KINDS:
                try:
                    return self._open(workspace_id, kind, identity)
                except NotFoundError:
                    continue
        raise NotFoundError(NOTHING)

    def document(self, workspace_id: str, document_id: str) -> PublishedDocument:
        """A document of a workspace; raises `NotFoundError`."""
        documents = Documents(self.database, workspace_id)
        return PublishedDocument(documents, document_id, self.blobs, self.services.settings)

    def _open(self, workspace_id: str, kind: Kind, identity: str) -> Published:
        if kind == "document":
            return self.document(workspace_id, identity)
        job = Jobs(self.database, workspace_id).get(identity)
        context = self.services.sources
        return PublishedJob(self.database, self.blobs, context, job, lambda each: self.document(workspace_id, each))


_Kinds: TypeAlias = tuple[Kind, ...]
_KINDS: _Kinds = ("document", "job")
