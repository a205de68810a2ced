"""The models that a workspace sees: its own, and under them those that all share."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from limner.core.errors import BundleError, NotFoundError, UsageError
from limner.core.registry import Registry
from limner.models.bundle import Bundle
from limner.models.bundle_files import MANIFEST
from limner.models.pool import ModelPool
from limner.models.protocol import Predictor
from limner.models.store import ModelStore

#: Nothing is built into a workspace.
_NOTHING: Registry[Bundle] = Registry("limner.models.none", "built-in model")


class WorkspaceStore(ModelStore):
    """The models in the folder of one workspace, over the shared ones.

    A name means the workspace's own model where it has one; only own models are added, removed and
    given aliases.
    """

    def __init__(self, folder: Path, shared: ModelStore) -> None:
        super().__init__(folder, _NOTHING)
        self.shared = shared

    def owns(self, ref: str) -> bool:
        """Whether a model (``name@version``) is the workspace's own."""
        name, _, version = ref.partition("@")
        return version in super().versions(name)

    def list(self) -> tuple[Bundle, ...]:
        """All models, the shared ones first; a damaged one is left out."""
        return (*self.shared.list(), *super().list())

    def get(self, name: str) -> Bundle:
        """The model behind a name; raises `ModelNotFoundError` or `BundleError`."""
        target = self.resolve(name)
        return super().get(target) if self.owns(target) else self.shared.get(target)

    def versions(self, name: str) -> Sequence[str]:
        """The workspace's versions of a model, or those shared where it has none."""
        return super().versions(name) or self.shared.versions(name)

    def aliases(self) -> dict[str, str]:
        """All aliases, those of the workspace before shared ones."""
        return {**self.shared.aliases(), **self._written_aliases()}

    def remove(self, name: str) -> str:
        """Remove one of the workspace's own; raises `ModelNotFoundError` or `UsageError`."""
        target = self.resolve(name)
        if name not in self.aliases() and not self.owns(target):
            raise UsageError(f"The model {target} is shared by all workspaces and cannot be removed here.")
        return super().remove(name)

    def _check_free(self, bundle: Bundle) -> None:
        super()._check_free(bundle)
        if bundle.version in self.shared.versions(bundle.name):
            raise BundleError(f"There is a model {bundle.ref} already, shared by all.", hint="Give another version.")


#: When each of some files and folders was changed last; None for one that is not there.
_Stamps = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """A bundle that was read, and what it depended on."""

    bundle: Bundle
    watched: tuple[Path, ...]
    stamps: _Stamps


class ModelLibrary:
    """Finds and lends the models of one workspace.

    What was found stays known as long as no file that it depends on has changed: reading a bundle
    for each request would cost as much as a small model.
    """

    def __init__(self, store: WorkspaceStore, pool: ModelPool) -> None:
        self.store = store
        self._pool = pool
        self._known: dict[str, _Known] = {}

    def get(self, name: str) -> Bundle:
        """The model behind a name, ``name@version`` or alias; raises `ModelNotFoundError` or `BundleError`."""
        known = self._known.get(name)
        if known is not None and _stamps(known.watched) == known.stamps:
            return known.bundle
        # Changes while it is being read must not go unnoticed: the folders are looked at first.
        early = self._watched(name, name)
        before = _stamps(early)
        bundle = self.store.get(name)
        watched = (*early, *self._watched(bundle.name, bundle.name), *_manifest(bundle))
        if _stamps(early) == before:
            self._known[name] = _Known(bundle, watched, _stamps(watched))
        return bundle

    def list(self) -> tuple[Bundle, ...]:
        """All models of the workspace and all shared ones."""
        return self.store.list()

    @contextmanager
    def use(self, name: str) -> Iterator[Predictor]:
        """A loaded model; see `limner.models.pool.ModelPool.use`."""
        with self._pool.use_bundle(self.get(name)) as predictor:
            yield predictor

    def _watched(self, *names: str) -> tuple[Path, ...]:
        """What says which bundle a name stands for."""
        folders = (self.store.folder, self.store.shared.folder)
        bases = {name.partition("@")[0] for name in names}
        return tuple(folder / entry for folder in folders for entry in (".aliases.json", *sorted(bases)))


class Libraries:
    """The libraries of all workspaces, over one pool of loaded models."""

    def __init__(self, data: Path, shared: ModelStore, pool: ModelPool) -> None:
        self._data, self._shared, self._pool = data, shared, pool
        self._made: dict[str, ModelLibrary] = {}
        self._lock = threading.Lock()

    def of(self, workspace_id: str) -> ModelLibrary:
        """The library of a workspace."""
        with self._lock:
            library = self._made.get(workspace_id)
            if library is None:
                store = WorkspaceStore(workspace_folder(self._data, workspace_id) / "models", self._shared)
                library = self._made[workspace_id] = ModelLibrary(store, self._pool)
            return library


def workspace_folder(data: Path, workspace_id: str) -> Path:
    """Where the files of a workspace lie, below the folder for all data; raises `NotFoundError` for an odd id."""
    if not workspace_id.isalnum():
        raise NotFoundError(f"There is no workspace {workspace_id!r}.")
    return data / "workspaces" / workspace_id


def _manifest(bundle: Bundle) -> tuple[Path, ...]:
    return () if bundle.folder is None else (bundle.folder / MANIFEST,)


def _stamps(paths: tuple[Path, ...]) -> _Stamps:
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except (OSError, ValueError):  # absent, or no possible name
        return None
