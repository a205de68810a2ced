"""Services are made when first needed, and closed together."""

from pathlib import Path

import pytest

from limner.core.errors import ModelError
from limner.core.settings import Settings
from limner.operations.services import Services


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    with Services(Settings(data=tmp_path / "data")) as services:
        assert not {"store", "pool", "downloader"} & set(vars(services))
    assert not (tmp_path / "data").exists()


def test_all_can_be_made_at_once_without_loading_or_fetching_anything(tmp_path: Path) -> None:
    with Services(Settings(data=tmp_path / "data")) as services:
        services.prepare()
        assert {"store", "pool", "libraries", "inference", "downloader"} <= set(vars(services))
        assert services.pool.loaded() == ()
    assert not (tmp_path / "data").exists()


def test_each_is_made_once(tmp_path: Path) -> None:
    with Services(Settings(data=tmp_path)) as services:
        assert services.pool is services.pool
        assert services.sources.downloader is services.downloader


def test_what_is_closed_cannot_be_used_any_more(tmp_path: Path) -> None:
    with Services(Settings(data=tmp_path)) as services:
        pool = services.pool
    with pytest.raises(ModelError), pool.use("text"):
        pass
