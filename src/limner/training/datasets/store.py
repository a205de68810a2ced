"""The datasets of one folder, in immutable versions that share their images.

The folder holds ``<name>/<version>/{dataset.json,pages.jsonl}`` and ``.images/<aa>/<sha256>.<suffix>``.
A version appears whole or not at all, and nothing in it changes afterwards.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from limner.core.errors import DatasetError, DatasetNotFoundError
from limner.models.bundle import NAME_PATTERN, checked_name
from limner.models.filelock import locked
from limner.models.store import version_key
from limner.training.datasets.dataset import Dataset, DatasetPage, image_file, parse_page, render_page

#: Formats that images are kept in, by the suffix of their files.
SUFFIXES = frozenset({"jpg", "png"})
_MANIFEST = "dataset.json"
_PAGES = "pages.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCard:
    """What is said of a version without reading its pages."""

    name: str
    version: str
    title: str
    labels: tuple[str, ...]
    #: Pages in each split.
    pages: dict[str, int]
    annotations: int
    sha256: str
    licence: str
    source: str
    created_at: datetime


class DatasetStore:
    """Adds, finds and removes datasets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def images(self) -> Path:
        """The folder of all images."""
        return self.folder / ".images"

    def keep_image(self, data: bytes, suffix: str) -> str:
        """Keep the bytes of an image, once however often they come; the name that pages call it by."""
        if suffix not in SUFFIXES:
            raise DatasetError(f"Images of datasets are kept as {' or '.join(sorted(SUFFIXES))}, not as {suffix!r}.")
        name = f"{hashlib.sha256(data).hexdigest()}.{suffix}"
        path = image_file(self.images, name)
        if path.exists():
            # It may be about to be forgotten, as nothing has named it for an hour.
            path.touch()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
                file.write(data)
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        return name

    def add(self, dataset: Dataset) -> Dataset:
        """Add a version; its images are kept already. An empty version becomes the next number.

        The same content as the newest version is not added twice: that one is returned. Raises
        `DatasetError` when the version exists, has no page or names an image that is not there.
        """
        checked_name(dataset.name, "a dataset")
        self._check(dataset)
        with locked(self.folder / ".lock"):
            known = self.versions(dataset.name)
            if not dataset.version and known and (newest := self.get(dataset.name)).sha256 == dataset.sha256:
                return newest
            version = dataset.version or _next(known)
            if version in known:
                raise DatasetError(
                    f"There is a dataset {dataset.name}@{version} already.",
                    hint="Versions never change: give another, or none for the next number.",
                )
            self._write(dataset, checked_name(version, "a version"))
        return self.get(f"{dataset.name}@{version}")

    def get(self, ref: str) -> Dataset:
        """A dataset by ``name`` (its newest version) or ``name@version``; raises `DatasetNotFoundError`."""
        folder = self._find(ref)
        plain = _manifest(folder)
        with (folder / _PAGES).open(encoding="utf-8", newline="\n") as file:
            pages = tuple(parse_page(line) for line in file)
        return Dataset(
            name=folder.parent.name,
            version=folder.name,
            labels=tuple(plain["labels"]),
            pages=pages,
            images=self.images,
            title=plain["title"],
            licence=plain["licence"],
            source=plain["source"],
            metadata=plain["metadata"],
        )

    def card(self, ref: str) -> DatasetCard:
        """What is said of a dataset; raises `DatasetNotFoundError`."""
        return _card(self._find(ref))

    def list(self) -> list[DatasetCard]:
        """All versions of all datasets, by name and version."""
        found = [folder for folder in self.folder.glob("*/*/") if (folder / _MANIFEST).is_file()]
        return [_card(folder) for folder in sorted(found, key=lambda each: (each.parent.name, version_key(each.name)))]

    def versions(self, name: str) -> Sequence[str]:
        """The versions of a dataset, the oldest first."""
        folder = self.folder / name
        found = [each.name for each in folder.iterdir() if (each / _MANIFEST).is_file()] if folder.is_dir() else []
        return sorted(found, key=version_key)

    def remove(self, ref: str) -> str:
        """Remove one version, and the images that no other needs; its name and version.

        Raises `DatasetNotFoundError`, or `DatasetError` when several versions are meant.
        """
        name, at, _ = ref.partition("@")
        with locked(self.folder / ".lock"):
            folder = self._find(ref)
            if not at and len(self.versions(name)) > 1:
                raise DatasetError(f"{name} has several versions.", hint="Say which: " + self._known(name))
            shutil.rmtree(folder)
            if not any(folder.parent.iterdir()):
                folder.parent.rmdir()
            self._forget_images()
        return f"{folder.parent.name}@{folder.name}"

    def _check(self, dataset: Dataset) -> None:
        if not dataset.pages:
            raise DatasetError(f"The dataset {dataset.name} would have no page.")
        unknown = {each.label for page in dataset.pages for each in page.annotations} - set(dataset.labels)
        if unknown:
            raise DatasetError(f"Labels that the dataset does not name: {', '.join(sorted(unknown))}.")
        for page in dataset.pages:
            if not image_file(self.images, page.image).is_file():
                raise DatasetError(f"The image of {page.page.name} is not among the kept ones.")

    def _write(self, dataset: Dataset, version: str) -> None:
        staging = Path(tempfile.mkdtemp(prefix=".incoming-", dir=self.folder))
        try:
            staging.chmod(0o755)
            with (staging / _PAGES).open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{render_page(page)}\n" for page in dataset.pages)
            text = json.dumps(_plain(dataset), ensure_ascii=False, indent=2)
            (staging / _MANIFEST).write_text(text + "\n", encoding="utf-8")
            target = self.folder / dataset.name / version
            target.parent.mkdir(parents=True, exist_ok=True)
            staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _forget_images(self) -> None:
        """Delete the images that no version names; those just being imported are younger than an hour."""
        named = {json.loads(line)["image"] for file in self.folder.glob(f"*/*/{_PAGES}") for line in _lines(file)}
        old = datetime.now(UTC).timestamp() - 3600
        for path in self.images.glob("*/*"):
            if path.name not in named and path.stat().st_mtime < old:
                path.unlink(missing_ok=True)

    def _find(self, ref: str) -> Path:
        name, at, version = ref.partition("@")
        if not all(re.fullmatch(NAME_PATTERN, part) for part in (name, *([version] if at else []))):
            raise self._not_found(ref)
        versions = self.versions(name)
        if not versions or (at and version not in versions):
            raise self._not_found(ref)
        return self.folder / name / (version if at else versions[-1])

    def _known(self, name: str) -> str:
        return ", ".join(f"{name}@{version}" for version in self.versions(name))

    def _not_found(self, ref: str) -> DatasetNotFoundError:
        known = [card.name for card in self.list()] + [f"{card.name}@{card.version}" for card in self.list()]
        near = difflib.get_close_matches(ref, known, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`limner datasets list` shows those there are."
        return DatasetNotFoundError(f"There is no dataset called {ref!r}.", hint=hint)


def _plain(dataset: Dataset) -> dict[str, Any]:
    counts = {split: len(pages) for split in ("train", "val", "test") if (pages := dataset.split(split))}
    return {
        "format": 1,
        "title": dataset.title,
        "labels": list(dataset.labels),
        "pages": counts,
        "annotations": sum(len(page.annotations) for page in dataset.pages),
        "sha256": dataset.sha256,
        "licence": dataset.licence,
        "source": dataset.source,
        "metadata": dict(dataset.metadata),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        plain = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"The dataset in {folder} is damaged: {error}.") from error
    if not isinstance(plain, dict) or plain.get("format") != 1:
        raise DatasetError(f"The dataset in {folder} has a format that this version does not know.")
    return plain


def _card(folder: Path) -> DatasetCard:
    plain = _manifest(folder)
    return DatasetCard(
        name=folder.parent.name,
        version=folder.name,
        title=plain["title"],
        labels=tuple(plain["labels"]),
        pages=plain["pages"],
        annotations=plain["annotations"],
        sha256=plain["sha256"],
        licence=plain["licence"],
        source=plain["source"],
        created_at=datetime.fromisoformat(plain["created_at"]),
    )


def _next(versions: Sequence[str]) -> str:
    numbers = [int(each) for each in versions if each.isdecimal()]
    return str(max(numbers, default=0) + 1)


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", newline="\n") as lines:
        yield from lines


__all__ = ["DatasetCard", "DatasetPage", "DatasetStore"]
