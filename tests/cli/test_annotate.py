"""``limner annotate``: sources, outputs, exit codes, stopping and going on."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import LIMNER, Run
from tests.models.networks import bright_boxes_bundle
from tests.sources.iiif.loopback import IIIFServer


def _page(path: Path, box: tuple[int, int, int, int] = (100, 50, 300, 150)) -> None:
    page = Image.new("RGB", (400, 300), (10, 10, 10))
    page.paste((250, 250, 250), box)
    page.save(path, quality=95)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(1, 6):
        _page(folder / f"{number:04}.jpg", (60 + 20 * number, 50, 300, 150))
    return folder


@pytest.fixture
def bright(limner: Run, tmp_path: Path) -> str:
    limner("models", "add", bright_boxes_bundle(tmp_path / "bundle"), "--as", "bright")
    return "bright"


def _summary(done: subprocess.CompletedProcess[str]) -> dict:
    (document,) = json.loads(done.stdout)["documents"]
    return document


def test_a_folder_into_several_formats_with_pictures(limner: Run, pages: Path, bright: str, tmp_path: Path) -> None:
    done = limner(
        "annotate", pages, "-m", bright, "--to", "jsonl,coco", "--to", "yolo", "-o", "out", "--overlay", "--crops",
        "--contact-sheet", "--json",
    )  # fmt: skip
    summary = _summary(done)
    assert summary["pages"] == {"total": 5, "done": 5, "failed": 0, "already": 0}
    out = tmp_path / "out"
    assert len((out / "annotations.jsonl").read_text().splitlines()) == 5
    coco = json.loads((out / "coco.json").read_text())
    assert len(coco["images"]) == 5
    x, y, width, height = coco["annotations"][0]["bbox"]
    assert (x, y, x + width, y + height) == pytest.approx((80, 50, 300, 150), abs=8)
    assert len(list((out / "overlays").glob("*.png"))) == 5
    assert len(list((out / "crops").rglob("*.jpg"))) == len(coco["annotations"])
    assert (out / "contact-sheet.png").exists()


def test_a_manifest_over_http_gives_the_text_that_extractors_clients_read(
    limner: Run, pages: Path, bright: str, tmp_path: Path
) -> None:
    with IIIFServer(pages) as server:
        limner("annotate", server.manifest_url(2), "-m", bright, "--to", "extractor", "-o", "out.txt")
    lines = (tmp_path / "out.txt").read_text().splitlines()
    assert [line for line in lines if line.endswith(".jpg")] == [f"{n} {n:04}.jpg" for n in range(1, 6)]
    assert all(len(line.split()) == 4 for line in lines if not line.endswith(".jpg"))


def test_standard_output_holds_nothing_but_the_annotations(limner: Run, pages: Path, bright: str) -> None:
    done = limner("annotate", pages / "0001.jpg", "-m", bright, "-o", "-")
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["page"]["name"] == "0001.jpg"


def test_pages_labels_threshold_and_zones_choose(limner: Run, pages: Path, bright: str) -> None:
    def lines(*options: object) -> list[dict]:
        done = limner("annotate", pages, "-m", bright, "-o", "-", *options)
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert [line["page"]["name"] for line in lines("--pages", "2-3,5")] == ["0002.jpg", "0003.jpg", "0005.jpg"]
    assert not any(line.get("annotations") for line in lines("--labels", "red"))
    assert not any(line.get("annotations") for line in lines("--zone", "0,200,400,300"))
    (found, *_) = [line["annotations"] for line in lines("--pages", "1", "--zone", "0,0,400,200")]
    assert found


def test_a_bad_page_is_named_and_the_rest_is_done(limner: Run, pages: Path, bright: str) -> None:
    (pages / "0003.jpg").write_bytes((pages / "0003.jpg").read_bytes()[:700])
    done = limner("annotate", pages, "-m", bright, "-o", "out", "--json", code=3)
    summary = _summary(done)
    assert summary["pages"]["done"] == 4
    ((page, reason),) = [(failed["page"], failed["reason"]) for failed in summary["failed"]]
    assert page == "0003.jpg"
    assert reason


def test_when_every_page_is_bad_nothing_was_done(limner: Run, pages: Path, bright: str) -> None:
    for path in pages.iterdir():
        path.write_bytes(b"no image")
    limner("annotate", pages, "-m", bright, "-o", "out", "-q", code=1)


def test_a_dry_run_fetches_nothing_and_writes_nothing(limner: Run, pages: Path, bright: str, tmp_path: Path) -> None:
    with IIIFServer(pages) as server:
        done = limner("annotate", server.manifest_url(3), "-m", bright, "-o", "out", "--dry-run", "--json")
        assert not server.sizes
    assert _summary(done)["pages"]["total"] == 5
    assert not (tmp_path / "out").exists()


def test_several_documents_get_a_folder_each(limner: Run, pages: Path, bright: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    _page(other / "a.png")
    limner("annotate", pages, other, "-m", bright, "-o", "out", "-q")
    assert (tmp_path / "out" / "pages" / "annotations.jsonl").exists()
    assert (tmp_path / "out" / "other" / "annotations.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "yolo", "-o", "-"], "one file a page"),
        (["--to", "coco,jsonl", "-o", "out.json"], "one format"),
        (["--to", "coko"], "coco"),
        (["--zone", "1,2,3"], "X1,Y1,X2,Y2"),
        (["--zone", "1,1,1,5"], "no area"),
        (["--pages", "x"], "no page"),
        (["--overlay", "-o", "x.jsonl"], "folder"),
        (["--resume", "-o", "x.jsonl"], "folder"),
        (["--threshold", "2"], "threshold"),
        (["--labels", "bright,rde"], "It has bright, red"),
    ],
)
def test_bad_usage_says_what_is_wrong(limner: Run, pages: Path, bright: str, options: list[str], said: str) -> None:
    assert said in limner("annotate", pages, "-m", bright, *options, code=2).stderr


def test_an_unknown_model_and_an_unknown_source_are_named(limner: Run, pages: Path) -> None:
    assert "no-such-model" in limner("annotate", pages, "-m", "no-such-model", code=1).stderr
    assert "nowhere" in limner("annotate", "nowhere/at/all.jpg", "-m", "text", code=1).stderr


def test_ctrl_c_leaves_what_is_done_and_resume_goes_on(
    limner: Run, pages: Path, bright: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    with IIIFServer(pages, latency=0.4) as server:
        command = [str(LIMNER), "annotate", server.manifest_url(3), "-m", bright, "-o", "out"]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        record = tmp_path / "out" / ".limner" / "pages.jsonl"
        until = time.monotonic() + 60
        while time.monotonic() < until and not (record.exists() and len(record.read_text().splitlines()) >= 3):
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert "--resume" in errors
        finished = len((tmp_path / "out" / "annotations.jsonl").read_text().splitlines())
        assert 2 <= finished < 5
        done = limner("annotate", server.manifest_url(3), "-m", bright, "-o", "out", "--resume", "--json")
    pages_done = _summary(done)["pages"]
    assert pages_done == {"total": 5, "done": 5 - finished, "failed": 0, "already": finished}
    lines = (tmp_path / "out" / "annotations.jsonl").read_text().splitlines()
    names = [json.loads(line)["page"]["name"] for line in lines]
    assert names == [f"{n:04}.jpg" for n in range(1, 6)]


def test_a_killed_run_is_taken_up_where_it_stopped(
    limner: Run, pages: Path, bright: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    with IIIFServer(pages, latency=0.4) as server:
        command = [str(LIMNER), "annotate", server.manifest_url(3), "-m", bright, "-o", "out", "-q"]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment)
        record = tmp_path / "out" / ".limner" / "pages.jsonl"
        until = time.monotonic() + 60
        while time.monotonic() < until and not (record.exists() and len(record.read_text().splitlines()) >= 3):
            time.sleep(0.02)
        process.kill()
        process.wait(30)
        done = limner("annotate", server.manifest_url(3), "-m", bright, "-o", "out", "--resume", "--json")
    assert _summary(done)["pages"]["already"] >= 2
    assert len((tmp_path / "out" / "annotations.jsonl").read_text().splitlines()) == 5


def test_resume_with_another_model_is_refused(limner: Run, pages: Path, bright: str) -> None:
    limner("annotate", pages, "-m", bright, "-o", "out", "-q")
    said = limner("annotate", pages, "-m", bright, "--threshold", "0.9", "-o", "out", "--resume", code=2).stderr
    assert "parameters" in said
