"""``limner doctor``."""

import json

from tests.cli.conftest import Run


def test_a_fresh_installation_is_well(limner: Run) -> None:
    report = json.loads(limner("doctor", "--json").stdout)
    assert report["healthy"] is True
    (models,) = (finding for finding in report["findings"] if finding["part"] == "models")
    assert models["state"] == "ok"
    assert "text@1" in models["message"]


def test_people_get_a_line_for_each_part_and_an_exit_code(limner: Run) -> None:
    unreachable = "postgresql://nobody:secret@127.0.0.1:9/limner"
    done = limner("doctor", code=1, LIMNER_DATABASE_URL=unreachable)
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert {state for state, *_ in lines} <= {"ok", "note", "wrong"}
    assert [part for state, part, _ in lines if state == "wrong"] == ["database"]
    assert "secret" not in done.stdout


def test_settings_that_cannot_be_read_are_all_there_is_to_say(limner: Run) -> None:
    report = json.loads(limner("doctor", "--json", code=1, LIMNER_TREADS="3").stdout)
    (finding,) = report["findings"]
    assert (report["healthy"], finding["part"], finding["state"]) == (False, "settings", "wrong")
    assert "LIMNER_THREADS" in finding["message"]


def test_another_data_folder_may_be_named(limner: Run) -> None:
    findings = json.loads(limner("doctor", "--json", "--data", "elsewhere").stdout)["findings"]
    assert any(finding["part"] == "data" and "elsewhere" in finding["message"] for finding in findings)
