"""What paths say: which image belongs to which annotations, and which split a page is in."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import cast

from limner.core.errors import FormatError
from limner.operations.datasets.plain_yaml import plain_yaml
from limner.sources.local import SUFFIXES
from limner.training.datasets.dataset import SPLITS, Split

#: What people call the splits.
_NAMES: Mapping[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_WORDS: Mapping[str, Split] = {word: split for split, words in _NAMES.items() for word in words}
#: Folders whose names say what kind of file is in them, and nothing of the pages.
_KINDS = frozenset({"images", "labels", "annotations", "jpegimages", "img", "imgs", "image", "label", "data", "main"})


class ImageIndex:
    """Finds images by what annotations call them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._names: dict[str, list[str]] = defaultdict(list)
        self._stems: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            pure = PurePosixPath(path)
            if pure.suffix.lower() in SUFFIXES:
                self._names[pure.name.casefold()].append(path)
                self._stems[pure.stem.casefold()].append(path)

    def paths(self) -> list[str]:
        """The paths of all images."""
        return [path for found in self._names.values() for path in found]

    def named(self, name: str, beside: str) -> str | None:
        """The image of a name, as annotations in the file ``beside`` have it: a file name, a path, or a stem."""
        wanted = PurePosixPath(name.replace("\\", "/"))
        found = self._names.get(wanted.name.casefold())
        if found is None and wanted.suffix.lower() not in SUFFIXES:
            found = self._stems.get(wanted.name.casefold())
        return _nearest(found, wanted, beside)

    def found(self, name: str, beside: str) -> str | None:
        """The same, or else the image that has the name with another suffix."""
        wanted = PurePosixPath(name.replace("\\", "/"))
        return self.named(name, beside) or _nearest(self._stems.get(wanted.stem.casefold()), wanted, beside)

    def has_stem(self, path: str) -> bool:
        """Whether there is an image called like a file, its suffix aside."""
        return PurePosixPath(path).stem.casefold() in self._stems


def _nearest(found: Sequence[str] | None, wanted: PurePosixPath, beside: str) -> str | None:
    """Of several, the one whose path ends as wanted, and then that lies nearest to the annotations."""
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    tail = [part.casefold() for part in wanted.parts[::-1]]
    home = _telling(beside)

    def fits(path: str) -> tuple[int, int]:
        parts = [part.casefold() for part in PurePosixPath(path).parts[::-1]]
        both = list(zip(parts, tail, strict=False))
        same = next((at for at, (a, b) in enumerate(both) if a != b), len(both))
        return same, len(home & _telling(path))

    return max(found, key=fits)


def _telling(path: str) -> set[str]:
    """The folders of a path that say more than what kind of file is in them."""
    return {part.casefold() for part in PurePosixPath(path).parts[:-1]} - _KINDS


def folder_of(path: str) -> str:
    """The folder of a path without parts that say only a kind or a split; empty where nothing is left."""
    parts = PurePosixPath(path).parts[:-1]
    return "/".join(part for part in parts if part.casefold() not in _KINDS | _WORDS.keys())


def split_in_folders(path: str) -> Split | None:
    """The split that a folder of a path names."""
    words = [part.casefold() for part in PurePosixPath(path).parts[:-1]]
    return next((_WORDS[word] for word in reversed(words) if word in _WORDS), None)


def split_in_name(path: str) -> Split | None:
    """The split that the name of a file names, as in ``instances_val2017.json``."""
    words = re.split(r"[^a-z]+", PurePosixPath(path).stem.casefold())
    return next((_WORDS[word] for word in words if word in _WORDS), None)


@dataclass(slots=True)
class Listed:
    """Splits as lists of a dataset have them: VOC's ``ImageSets``, and what YOLO's ``data.yaml`` points to."""

    #: By file name without suffix.
    stems: dict[str, Split] = field(default_factory=dict)
    #: By folder of the images.
    folders: dict[str, Split] = field(default_factory=dict)
    #: Paths of the files that were such lists.
    files: set[str] = field(default_factory=set)

    def of(self, image: str) -> Split | None:
        """The split of an image by its path."""
        pure = PurePosixPath(image)
        found = self.stems.get(pure.stem.casefold())
        if found is not None:
            return found
        parents = [str(parent) for parent in pure.parents]
        fitting = [folder for folder in self.folders if any(_ends_with(parent, folder) for parent in parents)]
        return self.folders[max(fitting, key=len)] if fitting else None


def _ends_with(path: str, folder: str) -> bool:
    return path == folder or path.endswith(f"/{folder}")


def read_lists(paths: Sequence[str], read: Callable[[str], str]) -> Listed:
    """The lists among some files; what cannot be read is none."""
    listed = Listed()
    for path in paths:
        pure = PurePosixPath(path)
        if pure.suffix.lower() == ".txt" and pure.stem.lower() in SPLITS and "ImageSets" in pure.parts:
            _take(listed, path, cast("Split", pure.stem.lower()), read)
        elif pure.suffix.lower() in (".yaml", ".yml"):
            _take_yaml(listed, paths, path, read)
        listed.files.update({path} if "ImageSets" in pure.parts else ())
    return listed


def _take(listed: Listed, path: str, split: Split, read: Callable[[str], str]) -> None:
    """A list of images: the first word of each line is a path, a file name or a stem."""
    listed.files.add(path)
    for line in read(path).splitlines():
        if words := line.split():
            name = PurePosixPath(words[0].replace("\\", "/"))
            stem = name.stem if name.suffix.lower() in SUFFIXES else name.name
            listed.stems.setdefault(stem.casefold(), split)


def _take_yaml(listed: Listed, paths: Sequence[str], path: str, read: Callable[[str], str]) -> None:
    """What ``train``, ``val`` and ``test`` of a data.yaml lead to; one folder for two of them tells nothing."""
    entries: dict[Split, set[str]] = {}
    try:
        found = plain_yaml(read(path).encode())
    except FormatError:
        return  # the format's reader will say what is wrong with it
    for split in SPLITS:
        entries[split] = {_clean(each) for each in _texts(found.get(split))}
    for split, values in entries.items():
        others = set[str]().union(*(each for name, each in entries.items() if name != split))
        for value in values - others - {""}:
            lists = [each for each in paths if value.endswith(".txt") and _ends_with(each, value)]
            if lists:
                _take(listed, lists[0], split, read)
            else:
                listed.folders[value] = split


def _texts(value: object) -> Iterator[str]:
    yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str))


def _clean(path: str) -> str:
    """A path of a data.yaml inside its dataset: ``../train/images`` and ``./train/images/`` are meant alike."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(parts)
