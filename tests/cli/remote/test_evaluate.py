"""``limner --server URL evaluate``."""

import json
import re
from pathlib import Path

import pytest

from limner.client import AsyncClient, Client
from limner.operations.datasets.exporting import zipped
from tests.cli.conftest import Run
from tests.limner_process import ServerProcess
from tests.training.datasets.made import a_store, dataset, page


@pytest.fixture
def measured(server: ServerProcess, tmp_path: Path) -> str:
    """A dataset on the server whose pages are all held out."""
    store = a_store(tmp_path)
    pages = [page(store, at, [("bright", 6 * at, 6, 30, 36)], split="test") for at in range(3)]
    made = store.add(dataset(store, pages, "boxes"))
    (tmp_path / "boxes.zip").write_bytes(b"".join(zipped(made, "coco")))
    with Client(server.url, server.first_token) as client:
        return client.datasets.upload("boxes", tmp_path / "boxes.zip", shares={"train": 1, "val": 0, "test": 2}).ref


async def test_a_server_measures_and_its_report_comes_out_here(
    remote: Run, server: ServerProcess, measured: str, tmp_path: Path
) -> None:
    done = remote("evaluate", "bright", measured, "-o", "out", "--json")
    plain = json.loads(done.stdout)
    assert (plain["model"], plain["dataset"], plain["map50"]) == ("bright@1", measured, 1.0)
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == plain
    pictures = re.findall(r"src='([^']+)'", (tmp_path / "out" / "report.html").read_text())
    assert all((tmp_path / "out" / name).is_file() for name in pictures)
    async with AsyncClient(server.url, server.first_token) as client:
        asked = await client.evaluations.create("bright", measured)
        assert (await client.jobs.wait(asked["id"], timeout=60)).status == "succeeded"
        found = await client.evaluations.get(asked)
        report = await client.evaluations.save_report(found, tmp_path / "again")
        assert report.read_bytes() == await client.evaluations.report(asked)
