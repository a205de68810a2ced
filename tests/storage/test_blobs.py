from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import NotFoundError, UsageError
from limner.storage.blobs import Blobs, checked
from limner.storage.database import StorageError

BAD = [
    *(
        "",
        "/",
        "a//b",
        "/a",
        "a/",
        "..",
        "a/../b",
        ".hidden",
        "a/.b",
        "a\\b",
        "a b",
        "a\0b",
        "é",
        "C:",
        "a:b",
        "~",
        "*",
    ),
    *("a\n", "a" * 201, "a/" * 300 + "a", "a.partial"),
]


@pytest.fixture(params=["folder", "memory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    """A store in a folder, one in memory, and one on S3."""
    match request.param:
        case "folder":
            yield Blobs(tmp_path / "blobs")
        case "memory":
            yield Blobs("memory://bucket/prefix")
            fsspec.filesystem("memory").store.clear()
        case "s3":
            yield Blobs(request.getfixturevalue("s3_storage"))


def test_a_blob_comes_back_as_it_was(blobs: Blobs) -> None:
    assert blobs.write("jobs/1/images/12.jpg", b"\x00\xff" * 10) == 20
    assert blobs.read("jobs/1/images/12.jpg") == b"\x00\xff" * 10
    assert blobs.size("jobs/1/images/12.jpg") == 20
    assert blobs.exists("jobs/1/images/12.jpg")
    assert not blobs.exists("jobs/1/images")
    blobs.write("jobs/1/images/12.jpg", b"new")
    assert blobs.read("jobs/1/images/12.jpg") == b"new"


def test_large_ones_go_in_pieces_both_ways(blobs: Blobs) -> None:
    pieces = [bytes([n]) * 700_000 for n in range(5)]
    assert blobs.write("big", iter(pieces)) == 3_500_000
    out = list(blobs.stream("big"))
    assert len(out) > 1
    assert b"".join(out) == b"".join(pieces)
    with blobs.open("big") as file:
        file.seek(2_100_000)
        assert file.read(1) == b"\x03"


def test_nobody_sees_a_blob_that_was_not_completed(blobs: Blobs) -> None:
    blobs.write("doc", b"before")

    def breaks() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    for key in ("doc", "new"):
        with pytest.raises(ConnectionError):
            blobs.write(key, breaks())
    assert blobs.read("doc") == b"before"
    assert blobs.keys("doc") == ["doc"]
    assert not blobs.exists("new")


def test_keys_and_deleting(blobs: Blobs) -> None:
    for key in ("jobs/1/a", "jobs/1/images/b", "jobs/10/c", "documents/1/d"):
        blobs.write(key, b"x")
    assert blobs.keys("jobs/1") == ["jobs/1/a", "jobs/1/images/b"]
    blobs.delete("jobs/1/a")
    blobs.delete("jobs/1/a")
    blobs.delete_all("jobs/1/images")
    blobs.delete_all("jobs/nothing")
    assert blobs.keys("jobs") == ["jobs/10/c"]
    assert blobs.exists("documents/1/d")


def test_what_is_not_there_is_said(blobs: Blobs) -> None:
    for act in (blobs.read, blobs.open, blobs.size, blobs.stream):
        with pytest.raises(NotFoundError, match="no blob nothing"):
            act("nothing")
    assert blobs.keys("nothing") == []


@pytest.mark.parametrize("key", BAD)
def test_no_key_leads_out_of_the_store(blobs: Blobs, key: str) -> None:
    for act in (
        blobs.read,
        blobs.exists,
        blobs.delete,
        blobs.delete_all,
        blobs.keys,
        blobs.path,
        lambda k: blobs.write(k, b""),
    ):
        with pytest.raises(UsageError):
            act(key)


@given(st.text(alphabet="abc/.~-\\\0 ", max_size=12))
def test_a_key_that_is_taken_stays_inside(key: str) -> None:
    try:
        path = Path("/store", checked(key))
    except UsageError:
        return
    assert path.parts[1] == "store"
    assert ".." not in path.parts
    assert str(path) == f"/store/{key}"


def test_a_folder_says_where_the_file_is_and_others_do_not(tmp_path: Path) -> None:
    folder = Blobs(f"file://{tmp_path}/blobs")
    folder.write("a/b", b"x")
    assert folder.path("a/b").read_bytes() == b"x"
    assert Blobs("memory://bucket").path("a/b") is None


def test_check(blobs: Blobs, tmp_path: Path) -> None:
    blobs.check()
    assert blobs.keys("check") == []
    broken = Blobs(tmp_path / "broken")
    (tmp_path / "broken" / "check").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot be used"):
        broken.check()


def test_what_another_process_writes_is_seen_at_once(s3_storage: str) -> None:
    ours, theirs = Blobs(s3_storage), Blobs(s3_storage)
    assert ours.keys("jobs") == []
    assert not ours.exists("jobs/1/a")
    theirs.write("jobs/1/a", b"x")
    assert ours.keys("jobs") == ["jobs/1/a"]
    assert ours.read("jobs/1/a") == b"x"
    theirs.write("jobs/1/a", iter([b"long", b"er"]))
    assert ours.size("jobs/1/a") == 6
    theirs.delete_all("jobs")
    assert not ours.exists("jobs/1/a")


def test_a_store_that_cannot_be_used_is_not_an_empty_one(s3_server: str, s3_storage: str) -> None:
    away = Blobs("s3://limner-no-such-bucket/limner")
    for act in (away.check, lambda: away.write("a", b"x"), lambda: away.write("a", iter([b"x"]))):
        with pytest.raises(StorageError, match="limner-no-such-bucket"):
            act()


def test_a_store_that_cannot_be_reached_is_said_to_be_so(s3_storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("limner.storage.filesystems._S3", {"config_kwargs": {"retries": {"total_max_attempts": 1}}})
    away = Blobs(s3_storage)
    for act in (away.read, away.open, away.size, away.exists, away.keys, away.delete, away.delete_all):
        with pytest.raises(StorageError, match="cannot be used"):
            act("a")


def test_an_upload_that_breaks_off_is_none_of_the_stores_faults(blobs: Blobs) -> None:
    def breaks() -> Iterator[bytes]:
        yield b"half"
        raise TimeoutError("the client has gone")

    with pytest.raises(TimeoutError, match="the client has gone"):
        blobs.write("new", breaks())


def test_a_disk_that_takes_no_more_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "jobs").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be used"):
        Blobs(tmp_path / "blobs").write("jobs/1/a", b"x")
