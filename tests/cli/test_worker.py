"""``limner worker``: processes that share the work of a server."""

import re
import signal
from pathlib import Path

import pytest

from limner.cli.worker import serving as serves
from limner.client import Client
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from tests.cli.conftest import Run
from tests.client.conftest import draw_page
from tests.limner_process import serving, working
from tests.models.networks import bright_boxes_bundle


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with the model ``bright``."""
    ModelStore(tmp_path / "data" / "models").add(read_bundle(bright_boxes_bundle(tmp_path / "bright")))
    return tmp_path / "data"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return draw_page(tmp_path / "page.png")


@pytest.mark.parametrize(
    ("kinds", "models", "queue", "expected"),
    [
        (None, None, "text@1", True),
        ("annotate,train", None, "text@1", True),
        ("train", None, "text@1", False),
        (None, "text", "text@1", True),
        (None, "text@1, bright", "text@1", True),
        (None, "text@2", "text@1", False),
        (None, "text", "bright@1", False),
        (None, "bright", "parents:annotate", True),
        ("train", "bright", "parents:annotate", False),
        (" ", ",", "text@1", True),
    ],
)
def test_what_a_worker_takes(kinds: str | None, models: str | None, queue: str, expected: bool) -> None:
    assert serves(kinds, models)("annotate", queue) is expected


def test_a_kind_that_there_is_none_of_is_refused(limner: Run) -> None:
    done = limner("worker", "--kinds", "annotate,trian", code=2)
    assert "kind trian" in done.stderr
    assert "train" in done.stderr


def test_a_worker_does_what_a_server_without_one_was_asked_for(data: Path, page: Path, tmp_path: Path) -> None:
    shared = {"LIMNER_DATABASE_URL": f"sqlite:///{data}/limner.db", "LIMNER_STORAGE_URL": str(data / "blobs")}
    with serving(data, "--no-auth", "--workers", "0") as server, Client(server.url) as client:
        bright = client.jobs.create(files=[page], model="bright")
        regions = client.jobs.create(files=[page], model="text-regions")
        with working(tmp_path / "one", "--models", "bright", LIMNER_DATA=str(data)) as worker:
            assert client.jobs.wait(bright, timeout=60).status == "succeeded"
            assert client.jobs.get(regions).status in ("queued", "running")
            assert worker.stop() == 0
            assert "Traceback" not in worker.log
        assert not client.jobs.get(regions).final
        with working(tmp_path / "two", **shared) as worker:
            assert client.jobs.wait(regions, timeout=90).status == "succeeded"
            assert worker.stop(signal.SIGINT) == 0


def test_what_is_wrong_is_one_clear_error(limner: Run) -> None:
    unreachable = "postgresql://nobody:secret@127.0.0.1:9/limner"
    done = limner("worker", code=1, LIMNER_DATABASE_URL=unreachable)
    assert "cannot be used" in done.stderr
    assert "secret" not in done.stderr
    assert "nowhere://" in limner("worker", code=2, LIMNER_STORAGE_URL="nowhere://x").stderr


def _has(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern))
