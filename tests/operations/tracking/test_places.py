"""What may stand in ``LIMNER_MLFLOW_URL``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from limner.core.errors import SettingsError
from limner.core.settings import Settings
from limner.operations.tracking.places import Local, Server, place_of
from limner.operations.tracking.tracker import make_tracker


def test_nowhere() -> None:
    assert place_of("") is None
    assert make_tracker(Settings()) is None


def test_a_server_is_shown_without_its_password() -> None:
    place = place_of("https://ada:secret@mlflow.example:5000/base")
    assert isinstance(place, Server)
    assert place.shown == "https://mlflow.example:5000/base"
    assert place.url == "https://ada:secret@mlflow.example:5000/base"


def test_a_file_of_sqlite(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/runs.db"
    assert place_of(uri) == Local(uri, tmp_path / "artifacts")


def test_a_folder_gets_a_file_of_sqlite(tmp_path: Path) -> None:
    assert place_of(str(tmp_path / "new")) == Local(
        f"sqlite:///{tmp_path}/new/mlflow.db", tmp_path / "new" / "artifacts"
    )
    assert not (tmp_path / "new").exists(), "nothing is made before there is something to note"


def test_a_folder_that_mlflow_has_filled_in_its_older_manner_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "meta.yaml").write_text("name: Default\n")
    assert place_of(str(tmp_path)) == Local(tmp_path.as_uri(), tmp_path / "artifacts")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://host/db", "postgresql"),
        ("databricks://profile", "databricks"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("http://", "no address"),
        ("http://host:port", "no address"),
        ("http://host/?a=b", "no address"),
        (__file__, "a file and no folder"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match="LIMNER_MLFLOW_URL") as caught:
        place_of(url)
    assert said in str(caught.value)


def test_only_what_is_on_this_machine_needs_mlflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mlflow" else found(name))
    assert isinstance(place_of("http://mlflow.example"), Server)
    with pytest.raises(SettingsError, match=r"pip install 'limner\[mlflow\]'"):
        place_of(str(tmp_path))
