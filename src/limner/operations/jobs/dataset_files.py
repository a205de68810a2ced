"""The pages of a dataset as files for a job."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, cast

from limner.operations.documents.uploads import Upload
from limner.training.datasets.dataset import Dataset


class _OpenedLater:
    """A file that is open only while it is being read: a dataset has more pages than a process may have files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def read(self, size: int = -1) -> bytes:
        """Bytes from where it is; at its end it is closed."""
        if self._file is None:
            self._file = self._path.open("rb")
        data = self._file.read(size)
        if not data or size < 0:
            self._file.close()
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Only back to the beginning."""
        if offset or whence:
            raise ValueError("The file can only be read from its beginning.")
        if self._file is not None:
            self._file.close()
        self._file = None
        return 0


def dataset_uploads(dataset: Dataset) -> list[Upload]:
    """The images of a dataset under the names of its pages, in their order."""
    return [Upload(page.page.name, cast("BinaryIO", _OpenedLater(dataset.image_path(page)))) for page in dataset.pages]
