"""Uploaded models are converted in a process of their own."""

import asyncio
import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from limner.core.errors import BundleError, TooManyRequestsError, UnsafeCheckpointError, UsageError
from limner.core.settings import Settings
from limner.models.bundle_files import pack_bundle, read_bundle
from limner.models.importers.protocol import Wishes
from limner.models.store import ModelStore
from limner.operations.uploads.conversions import Conversions
from tests.models.networks import bright_boxes_bundle


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle as a zip file."""
    folder = tmp_path_factory.mktemp("packed")
    return pack_bundle(read_bundle(bright_boxes_bundle(folder / "mine", side=64)), folder / "mine.zip")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def conversions(tmp_path: Path, **settings: object) -> Conversions:
    return Conversions(Settings(data=tmp_path / "data", **settings))


async def test_a_model_is_tried_and_installed(packed: Path, store: ModelStore, tmp_path: Path) -> None:
    wishes = Wishes(name="seals", version="4", labels=("light", "dark"))
    added = await conversions(tmp_path).add(store, packed, wishes)
    assert (added.bundle.ref, added.bundle.labels, added.importer) == ("seals@4", ("light", "dark"), None)
    assert added.bundle.page_seconds
    assert read_bundle(tmp_path / "models" / "seals" / "4").ref == "seals@4"
    with pytest.raises(BundleError, match="already"):
        await conversions(tmp_path).add(store, packed, wishes)
    await conversions(tmp_path).add(store, packed, wishes, replace=True)


async def test_what_takes_too_much_memory_is_refused(packed: Path, store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"more than 40,000,000 bytes.*LIMNER_CONVERSION_MEMORY"):
        await conversions(tmp_path, conversion_memory=40_000_000, threads=1).add(store, packed, Wishes())
    assert "mine@1" not in {bundle.ref for bundle in store.list()}


def conversions_under_way() -> list[bytes]:
    """Command lines of our own children that convert; empty where the system does not say."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    if not children.exists():
        return []
    commands = [Path(f"/proc/{each}/cmdline").read_bytes() for each in children.read_text().split()]
    return [each for each in commands if b"limner.operations.uploads" in each]


async def test_what_takes_too_long_is_ended(packed: Path, store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"longer than 0\.01 s and was ended"):
        await conversions(tmp_path, conversion_seconds=0.01).add(store, packed, Wishes())
    assert not conversions_under_way()


async def test_a_hostile_pickle_is_refused_by_its_name(store: ModelStore, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/executed",)

    path = tmp_path / "best.pt"
    path.write_bytes(pickle.dumps({"model": Hostile()}))
    with pytest.raises(UnsafeCheckpointError, match=r"posix\.system"):
        await conversions(tmp_path).add(store, path, Wishes())
    assert not (tmp_path / "executed").exists()


async def test_importers_that_run_files_are_not_for_servers(packed: Path, store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ultralytics-export runs what stands in a file"):
        await conversions(tmp_path).add(store, packed, Wishes(), kind="ultralytics-export")


async def test_too_many_at_once_are_sent_away(packed: Path, store: ModelStore, tmp_path: Path) -> None:
    desk = Conversions(Settings(data=tmp_path / "data"), most_waiting=1)
    coming = [desk.add(store, packed, Wishes(version=str(at))) for at in range(3)]
    said = await asyncio.gather(*coming, return_exceptions=True)
    assert [type(each) for each in said[2:]] == [TooManyRequestsError]
    assert [each.bundle.ref for each in said[:2]] == ["mine@0", "mine@1"]
    assert (await desk.add(store, packed, Wishes(version="3"))).bundle.ref == "mine@3"


async def test_somebody_who_gives_up_leaves_nothing_behind(packed: Path, store: ModelStore, tmp_path: Path) -> None:
    desk = conversions(tmp_path)
    work = asyncio.create_task(desk.add(store, packed, Wishes()))
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (await desk.add(store, packed, Wishes())).bundle.ref == "mine@1"


def converting(task: dict, *, stay: bool) -> subprocess.CompletedProcess[str]:
    """The process itself; its standard input ends at once unless we ``stay``."""
    command = [sys.executable, "-m", "limner.operations.uploads.converting"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
        if stay:
            said = process.stdout.read()
            errors = process.stderr.read()
        else:
            said, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, process.wait(60), said.decode(), errors.decode())


def task(path: Path, folder: str) -> dict:
    wishes = {"name": None, "version": None, "labels": None, "config": None, "kind": None}
    return {"path": str(path), "folder": folder, **wishes, "memory": 6 << 30, "seconds": 60, "settings": {}}


def test_it_ends_with_the_server(packed: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = converting(task(packed, folder), stay=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_it_says_one_thing(packed: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = converting(task(packed, folder), stay=True)
        assert (done.returncode, set(json.loads(done.stdout))) == (0, {"importer", "load_seconds", "page_seconds"})
        assert read_bundle(Path(folder)).page_seconds
