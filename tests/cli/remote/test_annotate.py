"""``limner --server URL annotate``: as on this machine, but that a server does the work."""

import json
import os
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from limner.cli.remote.annotate import _unpack
from limner.client import Client
from limner.core.errors import FormatError
from tests.cli.conftest import LIMNER, Run
from tests.limner_process import ServerProcess
from tests.sources.iiif.loopback import IIIFServer


def _summary(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    (document,) = json.loads(done.stdout)["documents"]
    return document


def test_a_folder_comes_out_as_on_this_machine(remote: Run, limner: Run, pages: Path, tmp_path: Path) -> None:
    done = remote("annotate", pages, "--to", "jsonl,coco", "--to", "yolo", "-o", "there", "--json")
    assert json.loads(done.stdout)["model"] == "bright@1"
    summary = _summary(done)
    assert summary["pages"] == {"total": 5, "done": 5, "failed": 0, "already": 0}
    assert summary["labels"] == {"bright": 5}
    from tests.models.networks import bright_boxes_bundle

    limner("models", "add", bright_boxes_bundle(tmp_path / "bundle"), "--as", "bright")
    limner("annotate", pages, "-m", "bright", "--to", "jsonl,coco,yolo", "-o", "here", "-q")
    names = {path.relative_to(tmp_path / "here") for path in (tmp_path / "here").rglob("[!.]*") if path.is_file()}
    assert names - {Path(".limner/pages.jsonl")} == {
        path.relative_to(tmp_path / "there") for path in (tmp_path / "there").rglob("*") if path.is_file()
    }
    for name in ("0001.txt", "0005.txt"):
        (here,), (there,) = ((tmp_path / where).rglob(name) for where in ("here", "there"))
        assert here.read_text() == there.read_text()


def test_a_manifest_is_fetched_by_the_server(remote: Run, pages: Path, tmp_path: Path) -> None:
    with IIIFServer(pages) as server:
        remote("annotate", server.manifest_url(3), "--to", "extractor", "--pages", "2-3", "-o", "out.txt", "-q")
        assert server.sizes
    lines = (tmp_path / "out.txt").read_text().splitlines()
    assert [line for line in lines if line.endswith(".jpg")] == ["2 0002.jpg", "3 0003.jpg"]


def test_a_manifest_on_this_disk_is_sent_along(remote: Run, pages: Path, tmp_path: Path) -> None:
    with IIIFServer(pages) as server:
        manifest = httpx.get(server.manifest_url(3), trust_env=False).content
        (tmp_path / "m.json").write_bytes(manifest)
        summary = _summary(remote("annotate", "m.json", "-o", "one", "--json"))
    assert summary["pages"]["done"] == len(json.loads(manifest)["items"]) > 1


def test_standard_output_holds_nothing_but_the_annotations(remote: Run, pages: Path) -> None:
    done = remote("annotate", pages / "0001.png", "-o", "-")
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["page"]["name"] == "0001.png"


def test_thresholds_labels_and_zones_go_along(remote: Run, pages: Path) -> None:
    def found(*options: object) -> int:
        done = remote("annotate", pages / "0001.png", "-o", "-", "-m", "bright", *options)
        return len(json.loads(done.stdout).get("annotations", ()))

    assert found() == 1
    assert found("--threshold", "1.0") == 0
    assert found("--labels", "red") == 0
    assert found("--zone", "0,200,400,300") == 0
    assert found("--zone", "0,0,400,200") == 1


def test_several_documents_get_a_folder_each(remote: Run, pages: Path, tmp_path: Path) -> None:
    Image.open(pages / "0001.png").save(tmp_path / "book.pdf")
    with zipfile.ZipFile(tmp_path / "box.zip", "w") as archive:
        archive.write(pages / "0002.png", "a.png")
    one, two = pages / "0003.png", pages / "0004.png"
    done = remote("annotate", one, "book.pdf", "box.zip", two, "-o", "out", "--to", "coco", "--json")
    documents = json.loads(done.stdout)["documents"]
    assert [document["pages"]["done"] for document in documents] == [2, 1, 1]
    assert {path.parent.name for path in (tmp_path / "out").rglob("coco.json")} == {"pages", "book", "box"}


def test_more_pages_than_a_request_may_have(remote: Run, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    Image.new("RGB", (16, 16)).save(folder / "0000.png")
    for number in range(1, 1005):
        (folder / f"{number:04}.png").hardlink_to(folder / "0000.png")
    summary = _summary(remote("annotate", folder, "-o", "out", "--json"))
    assert (summary["pages"]["done"], summary["title"]) == (1005, "many")
    lines = (tmp_path / "out" / "annotations.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["page"]["name"] == "1004.png"


def test_a_bad_page_is_named_and_the_rest_is_done(remote: Run, pages: Path) -> None:
    (pages / "0003.png").write_bytes((pages / "0003.png").read_bytes()[:200])
    summary = _summary(remote("annotate", pages, "-o", "out", "--json", code=3))
    assert summary["pages"]["done"] == 4
    assert [failed["page"] for failed in summary["failed"]] == ["0003.png"]


def test_people_see_a_summary(remote: Run, pages: Path) -> None:
    done = remote("annotate", pages, "-o", "out")
    assert "bright@1" in done.stderr
    assert "5 bright" in done.stderr
    assert done.stdout == ""


def test_what_cannot_be_reached_is_the_servers_word(remote: Run) -> None:
    done = remote("annotate", "http://127.0.0.1:9/manifest.json", "-o", "out", code=1)
    assert "127.0.0.1" in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--resume"], 2, "--resume is not possible with --server"),
        (["--dry-run"], 2, "--dry-run"),
        (["--overlay"], 2, "--overlay"),
        (["-m", "no-such-model"], 1, "no-such-model"),
        (["--labels", "rde"], 2, "It has bright, red"),
        (["--to", "yolo", "-o", "-"], 2, "one file a page"),
    ],
)
def test_bad_usage_says_what_is_wrong(remote: Run, pages: Path, options: list[str], code: int, said: str) -> None:
    assert said in remote("annotate", pages, *options, code=code).stderr


def test_sources_are_looked_at_before_anything_is_sent(remote: Run, pages: Path, server: ServerProcess) -> None:
    with Client(server.url, server.first_token) as client:
        before = len(list(client.jobs.list()))
        assert "nowhere" in remote("annotate", pages, "nowhere.png", code=1).stderr
        assert "several documents" in remote("annotate", pages, pages / "more", "-o", "x.jsonl", code=2).stderr
        assert len(list(client.jobs.list())) == before


def test_ctrl_c_cancels_the_job_and_writes_what_is_done(
    pages: Path, tmp_path: Path, server: ServerProcess, environment: dict[str, str]
) -> None:
    with IIIFServer(pages) as source, Client(server.url, server.first_token) as client:
        command = [str(LIMNER), "--server", server.url, "annotate", source.manifest_url(3), "-o", "out", "--json"]
        token = {"LIMNER_TOKEN": server.first_token}
        source.hold("/0004")
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**environment, **token},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            newest = next(client.jobs.list(), None)
            if newest is not None and newest.source == source.manifest_url(3) and newest.pages.done >= 2:
                break
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert newest is not None
        assert client.jobs.get(newest).status == "cancelled"
    lines = (tmp_path / "out" / "annotations.jsonl").read_text().splitlines()
    assert 2 <= len(lines) < 5


@pytest.mark.parametrize("name", ["../x", "/x", "a\\..\\x", "c:x"])
def test_a_zip_cannot_write_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(FormatError, match="outside"):
        _unpack(path, tmp_path / "out")
