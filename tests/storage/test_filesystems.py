"""Where blobs lie: what an address needs, and what each kind of store says when it cannot be used."""

import sys
from pathlib import Path

import pytest

from limner.core.errors import SettingsError
from limner.storage.filesystems import filesystem_at


def test_a_folder_and_a_bucket_are_found_in_their_places(tmp_path: Path, s3_storage: str) -> None:
    _, root, failures = filesystem_at(str(tmp_path))
    assert (root, failures) == (str(tmp_path), (OSError,))
    filesystem, root, failures = filesystem_at(f"{s3_storage}/")
    assert root == s3_storage.removeprefix("s3://")
    assert "s3" in filesystem.protocol
    assert {error.__name__ for error in failures} == {"OSError", "BotoCoreError", "ClientError"}


def test_each_has_a_file_system_of_its_own(s3_storage: str) -> None:
    assert filesystem_at(s3_storage)[0] is not filesystem_at(s3_storage)[0], "the environment may have changed"


def test_an_address_that_nothing_installed_reaches_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="'nonsense://bucket' cannot be used"):
        filesystem_at("nonsense://bucket")
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)  # where it was used before
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(SettingsError, match=r"s3:// storage. Install it with: pip install 'limner\[s3\]'"):
        filesystem_at("s3://bucket")
