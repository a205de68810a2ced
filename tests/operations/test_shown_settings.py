"""Settings as they may be shown."""

from pathlib import Path

import pytest

from limner.core.settings import Settings
from limner.operations.shown_settings import shown_settings


def test_every_setting_is_shown_by_its_name(tmp_path: Path) -> None:
    shown = shown_settings(Settings(data=tmp_path, host_delays={"a.example": 2.0}))
    assert set(shown) == set(Settings.model_fields)
    assert shown["data"] == str(tmp_path)
    assert shown["host_delays"] == {"a.example": 2.0}


def test_of_a_secret_it_is_only_told_whether_it_is_set() -> None:
    shown = shown_settings(Settings(webhook_secret="hush"))
    assert (shown["webhook_secret"], shown["jwt_secret"]) == ("set", "")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://ada:love@db.example/limner", "postgresql://***@db.example/limner"),
        ("postgresql+psycopg://ada@db.example/limner", "postgresql+psycopg://***@db.example/limner"),
        ("postgresql://db.example/limner?password=love&x=1", "postgresql://db.example/limner?password=***&x=1"),
        ("sqlite:////data/limner.db", "sqlite:////data/limner.db"),
        ("", ""),
    ],
)
def test_an_address_loses_its_password(address: str, expected: str) -> None:
    assert shown_settings(Settings(database_url=address))["database_url"] == expected
