"""Settings: where they come from, and what is refused."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from limner.core.errors import SettingsError
from limner.core.settings import Settings, load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LIMNER_{name.upper()}", raising=False)
    monkeypatch.delenv("LIMNER_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults_are_polite_and_closed() -> None:
    settings = load_settings()
    assert settings.source_networks == ()
    assert settings.host_concurrency == 1
    assert settings.host_delays == {"gallica.bnf.fr": 12.0}


def test_environment_wins_over_the_file_and_arguments_over_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "limner.toml").write_text('host_concurrency = 3\nthreads = 5\nuser_agent = "from the file"\n')
    monkeypatch.setenv("LIMNER_THREADS", "6")
    settings = load_settings(user_agent="from the caller")
    assert (settings.host_concurrency, settings.threads, settings.user_agent) == (3, 6, "from the caller")


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_SOURCE_NETWORKS", "127.0.0.0/8, ::1/128")
    monkeypatch.setenv("LIMNER_HOST_DELAYS", "a.example=3, b.example=0.5")
    settings = load_settings()
    assert settings.source_networks == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert settings.host_delays == {"a.example": 3.0, "b.example": 0.5}


def test_the_file_may_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("threads = 7\n")
    monkeypatch.setenv("LIMNER_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().threads == 7


def test_a_named_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_CONFIG", "nowhere.toml")
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load_settings()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("tread = 3\n", "tread"),
        ('threads = "many"\n', "threads"),
        ("threads = \n", "cannot be read"),
        ("threads = -1\n", "threads"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, content: str, named: str) -> None:
    (tmp_path / "limner.toml").write_text(content)
    with pytest.raises(SettingsError, match=named):
        load_settings()


def test_an_unknown_variable_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_TREADS", "3")
    with pytest.raises(SettingsError, match=r"LIMNER_TREADS \(did you mean LIMNER_THREADS\?\)"):
        load_settings()


def test_a_network_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_SOURCE_NETWORKS", "here")
    with pytest.raises(SettingsError, match="source_networks"):
        load_settings()


def test_a_delay_without_seconds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_HOST_DELAYS", "gallica.bnf.fr")
    with pytest.raises(SettingsError, match="HOST=SECONDS"):
        load_settings()


def test_variables_of_the_tests_are_no_settings() -> None:
    assert unknown_variables({"LIMNER_TEST_DATA": "x", "LIMNER_CONFIG": "y", "PATH": "z"}) == []


def test_every_setting_says_what_it_is_for() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_folders_are_below_the_data_folder(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path)
    assert settings.models_dir == tmp_path / "models"
    assert settings.cache_dir == tmp_path / "cache"
