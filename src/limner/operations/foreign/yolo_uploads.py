"""Datasets that extractorAPI's clients send: checked, and kept as they came until training takes them in.

Nothing is unpacked here. What the zip file holds is judged by its directory; its entries count as they claim, so
whoever unpacks it has to hold them to that.
"""

from __future__ import annotations

import json
import stat
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from limner.core.errors import FormatError, TooLargeError
from limner.operations.datasets.plain_yaml import plain_yaml
from limner.sources.local import SUFFIXES
from limner.sources.naming import is_hidden, plain_text
from limner.sources.zip import escapes
from limner.storage.blobs import Blobs
from limner.storage.columns import now

#: Most files in the zip file; what they may unpack to, bytes, and how many times the size of the zip file.
MOST_FILES = 200_000
LARGEST = 100_000_000_000
_MOST_RATIO = 200
_SMALL = 100_000_000
_LARGEST_YAML = 100_000
_LARGEST_LABELS = 10_000
_ENCRYPTED = 1
_BLOCK = 1 << 20
_SPLITS = ("train", "val", "test")
#: What stands in a dataset's folder.
ZIP_FILE, YAML_FILE, ABOUT_FILE = "dataset.zip", "data.yaml", "about.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDataset:
    """A dataset that waits to be taken in."""

    id: str
    #: Labels in the order of their numbers.
    labels: tuple[str, ...]
    images: int
    label_files: int


def incoming_folder(workspace_id: str) -> str:
    """Where the datasets of a workspace wait, in the blob store."""
    return f"incoming/{workspace_id}/datasets"


def keep_dataset(blobs: Blobs, workspace_id: str, archive: BinaryIO, description: BinaryIO) -> KeptDataset:
    """Check a dataset in YOLO's layout and keep it; raises `FormatError` or `TooLargeError`."""
    text = description.read(_LARGEST_YAML + 1)
    labels = labels_in(text)
    images, label_files = _count(archive)
    kept = KeptDataset(id=uuid.uuid4().hex, labels=labels, images=images, label_files=label_files)
    folder = f"{incoming_folder(workspace_id)}/{kept.id}"
    try:
        blobs.write(f"{folder}/{ZIP_FILE}", _pieces(archive))
        blobs.write(f"{folder}/{YAML_FILE}", text)
        # Written last: a folder without it is what is left of a request that was broken off.
        about = {**asdict(kept), "received_at": now().isoformat()}
        blobs.write(f"{folder}/{ABOUT_FILE}", json.dumps(about, ensure_ascii=False).encode())
    except BaseException:
        blobs.delete_all(folder)
        raise
    return kept


def labels_in(text: bytes) -> tuple[str, ...]:
    """The labels of a dataset's YAML file, which is checked; raises `FormatError` or `TooLargeError`."""
    if len(text) > _LARGEST_YAML:
        raise TooLargeError(f"The YAML file is larger than {_LARGEST_YAML:,} bytes.")
    found = plain_yaml(text)
    for split in _SPLITS:
        _check_paths(split, found.get(split))
    names = found.get("names")
    if isinstance(names, Mapping):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise FormatError("`names` in the YAML file does not count its labels from 0.")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not 0 < len(names) <= _LARGEST_LABELS:
        raise FormatError("`names` in the YAML file is no list of labels.", hint="Write `names: [first, second]`.")
    labels = tuple(str(name) for name in names)
    if found.get("nc") not in (None, len(labels)):
        raise FormatError(f"The YAML file says nc: {str(found['nc'])[:20]}, and names {len(labels)} labels.")
    return labels


def _check_paths(split: str, value: object) -> None:
    """Folders of images are inside of the zip file; ``../train`` is how some programs write the folder beside."""
    for path in value if isinstance(value, list) else [value]:
        if path is None:
            continue
        if not isinstance(path, str):
            raise FormatError(f"`{split}` in the YAML file is no path.")
        if escapes(path.removeprefix("../")) or "://" in path:
            raise FormatError(f"`{split}` in the YAML file leads out of the dataset: {plain_text(path)[:100]}.")


def _count(archive: BinaryIO) -> tuple[int, int]:
    """How many images and files of labels there are in a zip file that is fit to be unpacked."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise FormatError(f"The dataset is no zip file that can be read: {error}.") from error
    archive.seek(0, 2)
    _check_size(entries, archive.tell())
    names = dict[str, str]()
    for each in entries:
        _check_entry(each, names)
    files = [PurePosixPath(name) for name in names.values() if not is_hidden(name)]
    images = sum(path.suffix.lower() in SUFFIXES for path in files)
    if not images:
        raise FormatError("There are no images in the zip file.", hint="YOLO's layout: images/… and labels/….")
    return images, sum(path.suffix.lower() == ".txt" and "labels" in path.parts for path in files)


def _check_size(entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > MOST_FILES:
        raise TooLargeError(f"The zip file has {len(entries):,} entries; {MOST_FILES:,} are taken at most.")
    total = sum(each.file_size for each in entries)
    if total > LARGEST or (total > _SMALL and total > _MOST_RATIO * size):
        raise TooLargeError(f"The zip file has {size:,} bytes and would unpack to {total:,}: that is refused.")


def _check_entry(each: zipfile.ZipInfo, names: dict[str, str]) -> None:
    """Raise `FormatError` for an entry that must not be unpacked; the others are gathered, by name in small letters."""
    name = plain_text(each.filename)[:100]
    if escapes(each.filename) or "\0" in each.orig_filename:
        raise FormatError(f"The entry {name} leads out of the zip file.")
    if stat.S_ISLNK(each.external_attr >> 16):
        raise FormatError(f"The entry {name} is a link, not a file.")
    if each.flag_bits & _ENCRYPTED:
        raise FormatError(f"The entry {name} is protected by a password.")
    if each.is_dir():
        return
    if each.filename.casefold() in names:
        raise FormatError(f"The zip file has two entries {name}.")
    names[each.filename.casefold()] = each.filename


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_BLOCK):
        yield piece
