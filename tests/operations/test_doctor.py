"""What is configured, and what is wrong."""

from pathlib import Path
from typing import Any

import pytest

from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from limner.operations import doctor
from limner.operations.doctor import examine, is_loopback, missing_packages, set_options
from limner.operations.tokens import ensure_first_admin
from limner.storage.database import Database
from tests.models.networks import bright_boxes_bundle

Report = dict[str, list[tuple[str, str]]]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LIMNER_{name.upper()}", raising=False)
    monkeypatch.delenv("LIMNER_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a small default model."""
    store = ModelStore(tmp_path / "data" / "models")
    store.add(read_bundle(bright_boxes_bundle(tmp_path / "bright", side=64)))
    store.alias("default", "bright")
    return tmp_path / "data"


def _report(data: Path, **settings: Any) -> Report:
    out: Report = {}
    for finding in examine(Settings(data=data, **settings)):
        out.setdefault(finding.part, []).append((finding.state, finding.message))
    return out


def _wrong(report: Report) -> set[str]:
    return {part for part, found in report.items() if any(state == "wrong" for state, _ in found)}


def test_a_fresh_installation_is_well(data: Path) -> None:
    report = _report(data)
    expected = {"settings", "data", "database", "storage", "models", "runtimes", "extras", "network", "access"}
    assert set(report) == expected
    assert not _wrong(report)
    assert report["database"][0][0] == "note"
    assert not (data / "limner.db").exists()
    assert "bright@1" in report["models"][0][1]
    assert "onnx" in report["runtimes"][0][1]


def test_a_database_with_tables_is_looked_into(data: Path) -> None:
    database = Database(data / "limner.db")
    database.upgrade()
    report = _report(data)
    assert report["database"][0][0] == "ok"
    assert report["workers"][0][1].startswith("0 at work, 0 tasks waiting")
    assert any("no token yet" in message for _, message in report["access"])
    ensure_first_admin(database)
    assert not any("no token yet" in message for _, message in _report(data)["access"])
    database.close()


def test_a_database_without_tables_has_to_be_migrated(data: Path) -> None:
    (data / "limner.db").touch()
    assert _wrong(report := _report(data)) == {"database"}
    assert "limner serve" in report["database"][0][1]


def test_every_part_that_is_wrong_is_named_and_the_others_are_looked_at(data: Path) -> None:
    report = _report(
        data,
        database_url="postgresql://nobody:secret@127.0.0.1:9/limner",
        storage_url="nowhere://user:secret@x",
        source_networks="0.0.0.0/0",
        host="0.0.0.0",
        auth=False,
        trusted_proxies="::/0",
    )
    assert _wrong(report) == {"database", "storage", "network", "access"}
    assert "cannot be used" in report["database"][0][1]
    assert [state for state, _ in report["access"]].count("wrong") == 2
    assert report["models"][0][0] == "ok"


def test_no_secret_is_shown(data: Path) -> None:
    report = _report(
        data,
        database_url="postgresql://nobody:hunter2@127.0.0.1:9/limner",
        jwt_secret="hunter2-hunter2-hunter2-hunter2",
        webhook_secret="hunter2",
    )
    assert "hunter2" not in str(report)
    assert "jwt_secret" in report["settings"][0][1]


def test_where_settings_come_from_is_said(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "limner.toml").write_text("threads = 2\n")
    monkeypatch.setenv("LIMNER_WORKERS", "2")
    message = _report(data)["settings"][0][1]
    assert "threads" in message
    assert "workers (environment)" in message
    assert "limner.toml is read" in message
    assert set_options(Settings(data=data, port=0), {}) == ["data", "port", "threads", "workers"]


def test_little_space_is_worth_a_word(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1_000_000_000})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert _report(data)["data"][0][0] == "note"
    usage.free = 1000
    assert _wrong(_report(data)) == {"data"}


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    report = _report(tmp_path / "file" / "data")
    assert "data" in _wrong(report)
    assert "file" in report["data"][0][1]


@pytest.mark.parametrize(("name", "said"), [("model.onnx", "weights"), ("bundle.json", "bundle")])
def test_a_damaged_model_is_found(data: Path, name: str, said: str) -> None:
    (path,) = (data / "models" / "bright").rglob(name)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-2] + b"xx")
    report = _report(data)
    assert _wrong(report) == {"models"}
    assert said in str(report["models"])


def test_who_can_reach_it_is_said(data: Path) -> None:
    assert any(state == "note" and "No token" in message for state, message in _report(data, auth=False)["access"])
    assert any("TLS" in message for _, message in _report(data, host="0.0.0.0")["access"])
    behind = _report(data, host="0.0.0.0", public_url="https://limner.example", allowed_clients="10.0.0.0/8")
    assert not any("TLS" in message for _, message in behind["access"])
    assert any("10.0.0.0/8" in message for _, message in behind["access"])


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for = ["httpx>=1", 'fastapi>=1; extra == "server"', 'no-such-package[x]>=2 ; extra == "train"']
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda _: asked_for)
    assert missing_packages() == {"server": [], "train": ["no-such-package"]}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_what_is_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_what_is_more_than_this_machine(host: str) -> None:
    assert not is_loopback(host)
