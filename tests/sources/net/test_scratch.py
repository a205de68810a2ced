from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from limner.core.errors import SettingsError
from limner.sources.net.request import Download
from limner.sources.net.scratch import Scratch, link

needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="this system has no flock")


def age(folder: Path, hours: float) -> None:
    moment = time.time() - hours * 3600
    os.utime(folder, (moment, moment))


def download(path: Path) -> Download:
    return Download(path, "http://a/", "", 1, from_cache=False)


def test_a_file_stays_while_its_download_is_referenced(tmp_path):
    scratch = Scratch(tmp_path)
    path = scratch.new()
    path.write_bytes(b"x")
    held = scratch.keep(download(path))
    gc.collect()
    assert path.exists()
    del held
    gc.collect()
    assert not path.exists()
    scratch.close()


def test_closing_removes_all_files(tmp_path):
    scratch = Scratch(tmp_path)
    path = scratch.new()
    path.write_bytes(b"x")
    held = scratch.keep(download(path))
    scratch.close()
    assert list(tmp_path.iterdir()) == []
    del held  # removing what is gone already is no error


def test_without_a_parent_the_folder_is_a_temporary_one(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scratch = Scratch(None)
    assert scratch.folder.parent == tmp_path
    scratch.close()
    assert not scratch.folder.exists()


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match="LIMNER_DATA"):
        Scratch(tmp_path / "file" / "cache")


@needs_locks
def test_folders_of_dead_processes_are_swept_and_those_of_living_ones_are_not(tmp_path):
    code = f"import os, pathlib; from limner.sources.net.scratch import Scratch; \
        s = Scratch(pathlib.Path({str(tmp_path)!r})); s.new().write_bytes(b'x'); os._exit(1)"
    subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    (dead,) = tmp_path.iterdir()
    living = Scratch(tmp_path)
    assert dead.exists(), "a young folder may still be about to be locked"
    age(dead, 2)
    age(living.folder, 2)
    Scratch(tmp_path).close()
    assert not dead.exists()
    assert living.folder.exists()
    living.close()


def test_a_link_costs_no_copy(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"x")
    link(source, target)
    assert source.stat().st_ino == target.stat().st_ino
    with pytest.raises(FileExistsError):
        link(source, target)
    with pytest.raises(FileNotFoundError):
        link(tmp_path / "nothing", tmp_path / "c")


def test_where_there_are_no_links_the_file_is_copied(tmp_path, monkeypatch):
    def no_links(source: Path, target: Path) -> None:
        raise PermissionError("this file system has no hard links")

    monkeypatch.setattr("os.link", no_links)
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"x")
    link(source, target)
    assert target.read_bytes() == b"x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
