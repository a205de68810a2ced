"""Images that look the same, whatever their size, quality or brightness: difference hashes and their distances.

An image is shrunk to 17 × 16 grey pixels; each of the 256 bits says whether a pixel is brighter than the one to
its right (a "dHash"). Copies that were scaled, saved anew or brightened differ in few bits.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from limner.core.errors import DatasetError
from limner.training.datasets.dataset import Dataset, DatasetPage

Hashes = npt.NDArray[np.uint64]

#: Bits of a hash across and down.
_SIDE = 16
#: Images without contrast look alike and are no copies: the least spread of their pixels, of 255.
_LEAST_CONTRAST = 3.0
#: How many bits of 256 copies differ in at most.
NEAR = 16
#: Pages compared with all others at one time.
_BLOCK = 256
_FILE = "hashes.json"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pages that look the same."""

    first: DatasetPage
    second: DatasetPage
    #: Bits of 256 in which their hashes differ.
    distance: int


def image_hash(path: Path) -> bytes | None:
    """The hash of an image, 32 bytes; None where it has no contrast. Raises `DatasetError` where it is unreadable."""
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            image.draft("L", (_SIDE * 8, _SIDE * 8))
            grey = np.asarray(image.convert("L"))
    except (OSError, Image.DecompressionBombError) as error:
        raise DatasetError(f"The image {path.name} of the dataset cannot be read: {error}.") from error
    # Averages of whole areas: what a single pixel is like does not matter.
    small = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    if float(small.std()) < _LEAST_CONTRAST:
        return None
    return np.packbits(small[:, :-1] > small[:, 1:]).tobytes()


def hashes_of(dataset: Dataset) -> dict[str, bytes]:
    """The hash of every image that has one, by its name; they are kept beside the version once reckoned."""
    kept = dataset.images.parent / dataset.name / dataset.version / _FILE
    known = _read(kept)
    names = {page.image: page for page in dataset.pages}
    missing = [name for name in names if name not in known]
    for name in missing:
        made = image_hash(dataset.image_path(names[name]))
        known[name] = made.hex() if made else ""
    if missing and kept.parent.is_dir():
        _write(kept, known)
    return {name: bytes.fromhex(known[name]) for name in names if known[name]}


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}  # not reckoned yet, or by something that broke off: it is only a shortcut
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, Mapping) else {}


def _write(path: Path, known: Mapping[str, str]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".hashes-", delete=False) as file:
        json.dump(known, file)
    Path(file.name).replace(path)


def near_pairs(hashes: Sequence[bytes], within: int = NEAR) -> Iterator[tuple[int, int, int]]:
    """First place, second place and distance of all pairs of hashes that differ in few bits, in order."""
    table: Hashes = np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, _SIDE * _SIDE // 64)
    for start in range(0, len(table), _BLOCK):
        block = table[start : start + _BLOCK]
        # Only what comes later: each pair once.
        rest = table[start:]
        distances = np.zeros((len(block), len(rest)), np.uint16)
        for word in range(table.shape[1]):
            distances += np.bitwise_count(block[:, word, None] ^ rest[None, :, word])
        for first, second in zip(*np.nonzero(distances <= within), strict=True):
            if second > first:
                yield start + int(first), start + int(second), int(distances[first, second])


def duplicates(dataset: Dataset, *, within: int = NEAR, across: bool = True) -> list[Pair]:
    """Pages that look the same, the likest first; ``across``: only those in different splits.

    The same image twice has distance 0, also where it has no contrast.
    """
    hashes = hashes_of(dataset)
    pages = [page for page in dataset.pages if page.image in hashes]
    found = [
        Pair(pages[a], pages[b], near) for a, b, near in near_pairs([hashes[page.image] for page in pages], within)
    ]
    found += _same([page for page in dataset.pages if page.image not in hashes])
    wanted = [pair for pair in found if not across or pair.first.split != pair.second.split]
    return sorted(wanted, key=lambda pair: (pair.distance, pair.first.page.index, pair.second.page.index))


def _same(pages: Iterable[DatasetPage]) -> Iterator[Pair]:
    """Each page whose very image an earlier one has."""
    seen: dict[str, DatasetPage] = {}
    for page in pages:
        if page.image in seen:
            yield Pair(seen[page.image], page, 0)
        seen.setdefault(page.image, page)
