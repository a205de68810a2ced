"""What an importer is, and how the right one is found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from limner.core.errors import BundleError, ModelError
from limner.core.registry import Registry
from limner.models.bundle import Bundle
from limner.models.importers.checkpoints import is_checkpoint, unknown_checkpoint


@dataclass(frozen=True, slots=True)
class Wishes:
    """What people say of a model that they bring; None takes what the file says."""

    name: str | None = None
    version: str | None = None
    labels: tuple[str, ...] | None = None
    #: How the network was made, where its weights do not say: a file, or a name that an importer knows.
    config: Path | str | None = None


class Importer(Protocol):
    """Something that makes bundles of one kind of foreign model."""

    #: Short name, as in ``--kind NAME``.
    name: str
    #: What it takes, for people.
    title: str

    def accepts(self, path: Path) -> bool:
        """Whether this looks like one of ours; reads the file, runs nothing in it, and never raises."""

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Write a bundle into an empty folder; raises `BundleError` saying what cannot be read."""


@runtime_checkable
class NamedImporter(Importer, Protocol):
    """An importer that takes names besides files: ``torchvision/maskrcnn_resnet50_fpn``, ``tesseract/fra+lat``."""

    def accepts_name(self, name: str) -> bool:
        """Whether this is the name of one of ours; what stands before the slash is the importer's."""


#: All importers.
IMPORTERS: Registry[Importer] = Registry("limner.models.importers", "importer")


def importer_for(path: Path, kind: str | None = None) -> Importer:
    """The importer for a file, or the one that is asked for by name.

    Raises `UnknownNameError` for an unknown name and `BundleError` when nobody knows the file.
    """
    if kind is not None:
        return IMPORTERS.get(kind)
    if not path.exists():
        named = named_importer(path)
        if named is None:
            raise ModelError(f"There is no file {path}.")
        return named
    for importer in IMPORTERS:
        if importer.accepts(path):
            return importer
    if is_checkpoint(path):
        raise unknown_checkpoint(path)
    known = "; ".join(importer.title for importer in IMPORTERS)
    raise BundleError(f"{path.name} is no bundle, and no importer knows what it is.", hint=f"Known: {known}.")


def named_importer(path: Path) -> NamedImporter | None:
    """The importer for a name that looks like a path, ``IMPORTER/NAME`` or ``IMPORTER`` alone; None for others."""
    kind, *rest = path.parts or ("",)
    if path.is_absolute() or kind not in IMPORTERS:
        return None
    importer = IMPORTERS.get(kind)
    if not isinstance(importer, NamedImporter):
        return None
    # Alone it means what the importer takes for the usual one, if there is such a thing.
    return importer if importer.accepts_name("/".join(rest)) else None


def name_from(path: Path) -> str:
    """A name for a model, made from that of its file."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("._-")[:64].strip("._-")
    return slug or "model"
