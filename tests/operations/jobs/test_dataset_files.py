from pathlib import Path

import pytest

from limner.operations.jobs.dataset_files import dataset_uploads
from tests.training.datasets.made import a_store, dataset, page


def test_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    made = dataset(store, [page(store, at, [("a", at, 1, 5, 5)]) for at in range(3)])
    uploads = dataset_uploads(made)
    assert [each.name for each in uploads] == ["p000.png", "p001.png", "p002.png"]
    for upload, one in zip(uploads, made.pages, strict=True):
        whole = made.image_path(one).read_bytes()
        assert upload.file.read(4) == whole[:4]
        upload.file.seek(0)
        assert upload.file.read(10) + upload.file.read() == whole
    with pytest.raises(ValueError, match="beginning"):
        uploads[0].file.seek(3)
