"""Models: what is sent."""

from pathlib import Path

import pytest

from limner.client.calls import models
from limner.core.errors import UsageError


def test_a_model_is_sent_with_what_is_known_of_it(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"onnx")
    call = models.upload(path, name="m", version="2", labels=["a", "b"])
    assert call.form == {"name": "m", "version": "2", "labels": "a,b"}
    assert [upload.name for upload in call.files] == ["m.onnx"]
    assert not call.repeatable
    with pytest.raises(UsageError, match="folder"):
        models.upload(tmp_path / "folder")


def test_paths() -> None:
    assert models.get("m@2").path == "/v1/models/m@2"
    assert models.test("m").path == "/v1/models/m/test"
    call = models.set_alias("default", "m@2")
    assert (call.method, call.path, call.body) == ("PUT", "/v1/models/aliases/default", {"model": "m@2"})
    assert models.delete_alias("mine").path == "/v1/models/aliases/mine"
