"""``limner settings``."""

import json

from tests.cli.conftest import Run


def test_settings_are_printed_as_one_would_write_them(limner: Run) -> None:
    text = limner("settings", LIMNER_HOST_DELAYS="a.example=3").stdout
    assert "LIMNER_SOURCE_NETWORKS=127.0.0.0/8" in text
    assert "LIMNER_HOST_DELAYS=a.example=3.0" in text


def test_settings_as_json_hide_secrets(limner: Run) -> None:
    done = limner("settings", "--json", LIMNER_WEBHOOK_SECRET="hush")
    assert json.loads(done.stdout)["host_concurrency"] == 1
    assert "hush" not in done.stdout
