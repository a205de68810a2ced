"""Evaluations: what is sent, and where files of a report may go."""

from pathlib import Path

import pytest

from limner.client.calls import evaluations
from limner.core.errors import FormatError


def test_only_what_was_chosen_is_sent_and_may_be_repeated() -> None:
    call = evaluations.create("mine", "pages", threshold=0.0, idempotency_key="k")
    assert (call.method, call.path) == ("POST", "/v1/evaluations")
    assert call.body == {"model": "mine", "dataset": "pages", "threshold": 0.0}
    assert call.headers == {"idempotency-key": "k"}
    assert call.repeatable
    both = evaluations.create("mine", "pages", compare="other", split="val").body
    assert both == {"model": "mine", "dataset": "pages", "compare": "other", "split": "val"}


def test_an_evaluation_is_named_by_itself_or_its_id() -> None:
    assert evaluations.get({"id": "e1"}).path == evaluations.get("e1").path == "/v1/evaluations/e1"
    assert evaluations.report("e1").path == "/v1/evaluations/e1/report/report.html"


def test_pictures_go_where_the_page_looks_for_them() -> None:
    places = evaluations.report_places({"id": "e1", "files": ["01-found.jpg", "report.html"]}, Path("out"))
    assert [(call.path, path) for call, path in places] == [
        ("/v1/evaluations/e1/report/01-found.jpg", Path("out/report/01-found.jpg")),
        ("/v1/evaluations/e1/report/report.html", Path("out/report.html")),
    ]


@pytest.mark.parametrize("name", ["../x.jpg", "/etc/x", "..", "", "a\\b.jpg", 7])
def test_a_server_cannot_lead_out_of_the_folder(name: object) -> None:
    with pytest.raises(FormatError, match="can be none of a report"):
        evaluations.report_places({"id": "e1", "files": [name]}, Path("out"))
