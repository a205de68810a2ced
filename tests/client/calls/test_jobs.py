"""Jobs: what is sent."""

from pathlib import Path

import pytest

from limner.client.calls import jobs
from limner.core.errors import UsageError

MANIFEST = "https://lib.example/manifest.json"


def test_an_address_a_list_and_a_manifest() -> None:
    assert jobs.create(MANIFEST).body == {"kind": "annotate", "source": MANIFEST}
    assert jobs.create((MANIFEST, MANIFEST)).body == {"kind": "annotate", "source": [MANIFEST, MANIFEST]}
    assert jobs.create({"id": "m"}).body == {"kind": "annotate", "source": {"id": "m"}}


def test_everything_that_can_be_wished_for() -> None:
    call = jobs.create(
        document="d",
        model="m",
        document_type="print",
        threshold=0.5,
        labels=["a"],
        zones=[(0, 0, 1, 1)],
        pages="1-3",
        callback="https://app.example/hook",
        callback_form="extractor",
        priority=3,
        title="T",
        idempotency_key="k",
    )
    assert call.body == {
        "kind": "annotate",
        "document": "d",
        "model": "m",
        "document_type": "print",
        "threshold": 0.5,
        "labels": ["a"],
        "zones": [[0, 0, 1, 1]],
        "pages": "1-3",
        "callback": "https://app.example/hook",
        "callback_form": "extractor",
        "priority": 3,
        "title": "T",
    }
    assert call.headers == {"idempotency-key": "k"}


def test_files_go_as_a_form_with_a_key_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-")
    call = jobs.create(files=[path], priority=0, zones=[(0, 0, 1, 1)])
    assert call.form == {"kind": "annotate", "priority": "0", "zones": "[[0, 0, 1, 1]]"}
    assert call.headers["idempotency-key"] != jobs.create(files=[path]).headers["idempotency-key"]


@pytest.mark.parametrize("given", [{}, {"source": MANIFEST, "document": "d"}, {"files": [], "source": MANIFEST}])
def test_a_job_is_made_of_one_thing(given: dict) -> None:
    with pytest.raises(UsageError, match="one of"):
        jobs.create(**given)


def test_no_files_make_no_job() -> None:
    with pytest.raises(UsageError, match="no file"):
        jobs.create(files=[])


def test_what_is_not_the_same_twice_is_not_repeated() -> None:
    assert not jobs.retry("j").repeatable
    assert not jobs.replay("j", 1).repeatable
    assert jobs.cancel("j").repeatable


def test_paths() -> None:
    assert jobs.pages("j", status="failed").params == {"status": "failed"}
    assert jobs.results_file("j", "coco").path == "/v1/jobs/j/results"
    assert jobs.replay("j", 2).path == "/v1/jobs/j/deliveries/2/replay"
    assert jobs.estimate(MANIFEST, "m").body == {"source": MANIFEST, "model": "m"}
