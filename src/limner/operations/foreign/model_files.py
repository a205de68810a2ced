"""Models as clients of other systems name them: by the file of their weights, with or without ``.pt``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from limner.core.errors import LimnerError
from limner.models.bundle import Bundle
from limner.models.bundle_files import MANIFEST
from limner.operations.library import ModelLibrary

#: The suffix that these clients know; ours are ONNX inside.
SUFFIX = ".pt"
_SUFFIXES = (SUFFIX, ".pth", ".onnx")


def stem_of(name: str) -> str:
    """``yolo_last`` for ``yolo_last.pt``; no folder is ever looked into, so a path is only its last part."""
    stem = name.strip().replace("\\", "/").rpartition("/")[2]
    suffix = next((suffix for suffix in _SUFFIXES if stem.lower().endswith(suffix)), "")
    return stem[: len(stem) - len(suffix)]


def known_name(name: str, library: ModelLibrary) -> str:
    """The name here of a model that a client names by its file; what nobody knows comes back as it is.

    Names here have no capitals, file names may.
    """
    stem = stem_of(name)
    for wanted in (name.strip(), stem, stem.lower(), stem.lower().replace(" ", "_")):
        try:
            library.get(wanted)
        except LimnerError:
            continue
        return wanted
    return stem or name


def models_by_name(library: ModelLibrary) -> Mapping[str, Bundle]:
    """What each name and alias stands for now; damaged models are left out."""
    names = dict.fromkeys([*(bundle.name for bundle in library.list()), *library.store.aliases()])
    found = {}
    for name in names:
        try:
            found[name] = library.get(name)
        except LimnerError:
            continue
    return found


def changed_at(bundle: Bundle) -> datetime:
    """When a model was installed; for one that is built in, when Limner was."""
    path = Path(__file__) if bundle.folder is None else bundle.folder / MANIFEST
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
