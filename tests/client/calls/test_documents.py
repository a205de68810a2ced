"""Documents: what is sent."""

from pathlib import Path

import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.shapes import Box
from limner.client.calls import documents
from limner.core.errors import UsageError


def test_a_document_is_made_of_files(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"image")
    call = documents.create([path], title="T", type="print", idempotency_key="k")
    assert (call.form, call.headers) == ({"title": "T", "type": "print"}, {"idempotency-key": "k"})
    with pytest.raises(UsageError, match="no file"):
        documents.create([])


def test_a_change_names_the_revision_it_was_made_on() -> None:
    annotation = Annotation(shape=Box(1, 2, 3, 4), label="x", id="a")
    call = documents.save("d", 2, [annotation], revision=7, comment="why")
    assert (call.method, call.path) == ("PUT", "/v1/documents/d/pages/2/annotations")
    assert call.body == {
        "revision": 7,
        "annotations": [{"id": "a", "label": "x", "box": [1, 2, 3, 4]}],
        "comment": "why",
    }
    assert not call.repeatable


def test_paths() -> None:
    assert documents.annotations_of("d", 0, revision=3).params == {"revision": "3"}
    assert documents.history("d", 1).path == "/v1/documents/d/pages/1/annotations/history"
    assert documents.manifest("d").path == "/v1/documents/d/manifest.json"
    assert documents.image("d", 4).path == "/v1/documents/d/pages/4/image"
    assert documents.export_file("d", "coco").params == {"format": "coco"}
