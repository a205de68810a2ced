"""An application whose timings go to MLflow, or would."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from limner.cli.serve import prepare
from limner.core.errors import SettingsError
from limner.core.settings import Settings
from limner.operations.services import Services
from limner.operations.tracking.places import place_of
from limner.operations.tracking.tracker import Tracker
from limner.operations.tracking.writer import Pace, Writer
from tests.limner_process import free_port
from tests.operations.bright_pages import page
from tests.operations.tracking.memory import until
from tests.server.conftest import MakeClient
from tests.server.running import state_of, token_for, with_token
from tests.server.test_metrics import figure


def test_an_mlflow_that_is_not_there_costs_one_line_in_the_log_and_a_count(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://ada:secret@127.0.0.1:{free_port()}"
    place = place_of(nowhere)
    assert place is not None
    writer = Writer(place.shown, place.open, Pace(interval=0.01, first=0.01, longest=0.02))
    monkeypatch.setattr("limner.operations.services.make_tracker", lambda _: Tracker(writer, "limner"))
    anonymous = make_client(mlflow_url=nowhere)
    client = with_token(anonymous, token_for(anonymous, "admin"))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert client.post("/v1/annotate", files={"file": page()}).status_code == 200
        until(lambda: (figure(client.get("/metrics").text, "limner_tracking_failures_total") or 0) >= 3)
        assert figure(client.get("/metrics").text, "limner_tracking_sent_total") == 0
        assert figure(client.get("/metrics").text, "limner_tracking_lost_total") == 0
        assert [record.message for record in caplog.records if "MLflow" in record.message][1:] == []
        state_of(client).services.tracker.close()
    assert "cannot be reached" in caplog.text
    assert "did not take the last 2 timings" in caplog.text
    assert "secret" not in caplog.text
    assert figure(client.get("/metrics").text, "limner_tracking_lost_total") == 2


def test_nothing_is_told_of_tracking_where_there_is_none(client) -> None:
    assert "limner_tracking" not in client.get("/metrics").text


def test_a_place_that_cannot_be_is_said_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LIMNER_MLFLOW_URL cannot be postgresql:"):
        prepare(Settings(data=tmp_path, mlflow_url="postgresql://host/db", auth=False))


def test_a_tracker_opens_nothing_before_something_is_noted(tmp_path: Path) -> None:
    with Services(Settings(data=tmp_path, mlflow_url=str(tmp_path / "runs"))) as services:
        assert services.tracker is not None
    assert not (tmp_path / "runs").exists()
