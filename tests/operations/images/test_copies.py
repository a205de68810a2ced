import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.operations.images.copies import Copies, pieces_of


def _aged(path: Path, seconds: float) -> None:
    now = path.stat().st_mtime
    os.utime(path, (now - seconds, now - seconds))


def test_a_copy_is_found_again(tmp_path: Path) -> None:
    copies = Copies(tmp_path / "tiles", 1000)
    assert copies.find("a/b") is None
    path = copies.add("a/b", [b"12", b"34"])
    assert copies.find("a/b") == path
    assert b"".join(pieces_of(path, 3)) == b"1234"
    assert Copies(tmp_path / "tiles", 1000).find("a/b") == path


def test_those_that_were_not_used_for_longest_go(tmp_path: Path) -> None:
    copies = Copies(tmp_path, 10)
    for age, key in enumerate(("c", "b", "a"), 1):
        _aged(copies.add(key, [b"1234"]), 1000.0 * age)
    copies.add("d", [b"1234"])
    assert [key for key in "abcd" if copies.find(key)] == ["c", "d"]


def test_one_that_was_used_a_moment_ago_stays(tmp_path: Path) -> None:
    copies = Copies(tmp_path, 1)
    for key in "ab":
        copies.add(key, [b"1234"])
    assert all(copies.find(key) for key in "ab")


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"12"
        raise OSError("gone")

    copies = Copies(tmp_path, 1000)
    with pytest.raises(OSError, match="gone"):
        copies.add("a", pieces())
    assert list(tmp_path.iterdir()) == []
