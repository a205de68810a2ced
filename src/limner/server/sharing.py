"""Links to what viewers may open, for the answers of the API."""

from __future__ import annotations

from collections.abc import Sequence

from limner.operations.publishing.places import Place
from limner.server.auth import Caller
from limner.server.state import AppState
from limner.storage.shares import Kind, Shares


def viewer_links(
    state: AppState, caller: Caller, kind: Kind, identities: Sequence[str], base: str
) -> dict[str, dict[str, str]]:
    """For each of some documents or jobs the links that open it in a viewer; none for what is not shared."""
    keys = {
        share.id: share.key for share in Shares(state.database, caller.workspace_id).among(kind, identities).values()
    }
    if not state.settings.auth:
        keys = {identity: identity for identity in identities} | keys  # the id opens it as well
    viewer = state.settings.viewer_url
    return {each: Place(base, keys[each]).links(viewer) if each in keys else {} for each in identities}
