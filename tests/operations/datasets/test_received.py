"""What extractorAPI's clients sent becomes a dataset."""

import io
from pathlib import Path

import pytest

from limner.annotations.shapes import Box
from limner.core.errors import NotFoundError
from limner.operations.datasets.gathering import Wishes
from limner.operations.datasets.received import import_received
from limner.operations.foreign.yolo_uploads import keep_dataset
from limner.sources.protocol import SourceContext
from limner.storage.blobs import Blobs
from limner.training.datasets.store import DatasetStore
from tests.operations.datasets.files import BOX, drawn, packed, yolo_line

_YAML = b"train: ../train/images\nval: ../valid/images\nnames: [initial, seal]\n"


def test_it_is_taken_in_with_its_splits_and_labels(tmp_path: Path, store: DatasetStore, context: SourceContext) -> None:
    blobs = Blobs(tmp_path / "blobs")
    files: dict[str, str | bytes] = {}
    for number, split in enumerate(("train", "train", "valid")):
        files[f"{split}/images/{number}.png"] = drawn(number)
        files[f"{split}/labels/{number}.txt"] = yolo_line(number % 2)
    kept = keep_dataset(blobs, "w", io.BytesIO(packed(files)), io.BytesIO(_YAML))
    done = import_received(blobs, "w", kept.id, store, Wishes(name="sent"), context)
    assert (done.format, done.kept_splits, done.problems) == ("yolo", True, ())
    assert [(each.split, each.annotations[0].label) for each in done.dataset.pages] == [
        ("train", "initial"),
        ("train", "seal"),
        ("val", "initial"),
    ]
    assert done.dataset.pages[0].annotations[0].shape == Box(*BOX)
    for workspace, received in (("other", kept.id), ("w", "0" * 32), ("w", "../" + kept.id), ("w", "")):
        with pytest.raises(NotFoundError):
            import_received(blobs, workspace, received, store, Wishes(name="sent"), context)
