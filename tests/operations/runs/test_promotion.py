from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.core.errors import ConflictError, ModelNotFoundError
from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from limner.operations.library import WorkspaceStore
from limner.operations.runs.promotion import Promoter, next_version, note_promotion, promotion_of, register
from limner.operations.services import Services
from limner.training.datasets.store import DatasetStore
from limner.training.fitting.folder import RunFolder
from tests.training.fitting.squares import squares
from tests.training.fitting.trained import trained


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, RunFolder]:
    """A run that has hardly begun to learn, and one that has learnt."""
    folder = tmp_path_factory.mktemp("runs")
    poor = trained(folder / "poor", folder / "datasets", epochs=1, learning_rate=1e-5)
    good = trained(folder / "good", folder / "datasets", epochs=14, ema=0.9)
    return poor, good


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with Services(Settings(data=tmp_path / "data", threads=1)) as services:
        yield services


def _promoter(services: Services) -> Promoter:
    return Promoter(services.store, services.pool.use, services.settings)


def test_the_alias_moves_to_what_is_better_and_back_again(
    runs: tuple[RunFolder, RunFolder], services: Services
) -> None:
    (poor, good), store = runs, services.store
    dataset = DatasetStore(poor.path.parent / "datasets").get("squares")
    promoter = _promoter(services)
    first = promoter.promote(poor, dataset, "best")
    assert (first.model, first.moved, first.before, first.map50) == ("squares@1", True, None, None)
    second = promoter.promote(good, dataset, "best")
    assert (second.model, second.moved, second.before) == ("squares@2", True, "squares@1")
    assert (second.split, second.pages) == ("val", 6)
    assert second.map50 > second.map50_before + 0.1
    assert "squares@2 and no longer for squares@1: mAP50 0." in second.sentence
    third = promoter.promote(poor, dataset, "best")
    assert (third.model, third.moved, third.map50) == ("squares@1", False, second.map50_before)
    assert "still stands for squares@2" in third.sentence
    assert store.resolve("best") == "squares@2"
    forced = promoter.promote(poor, dataset, "best", force=True)
    assert (forced.moved, forced.before, store.resolve("best")) == (True, "squares@2", "squares@1")
    assert store.rollback("best") == "squares@2"
    assert store.rollback("best") == "squares@1"
    assert store.rollback("best") is None
    assert "best" not in store.aliases()
    with pytest.raises(ModelNotFoundError, match="Nothing is known"):
        store.rollback("best")
    assert [bundle.ref for bundle in store.list() if bundle.name == "squares"] == ["squares@1", "squares@2"]
    note_promotion(good, second)
    assert promotion_of(good) == second.plain()


def test_what_finds_nothing_of_it_is_beaten_by_whatever_finds_something(
    runs: tuple[RunFolder, RunFolder], services: Services, tmp_path: Path
) -> None:
    dataset = DatasetStore(runs[1].path.parent / "datasets").get("squares")
    stranger = read_bundle(runs[1].bundle).changed(name="stranger", labels=("cat", "dog"))
    services.store.add(stranger)
    services.store.alias("best", "stranger")
    promotion = _promoter(services).promote(runs[1], dataset, "best")
    assert (promotion.moved, promotion.map50_before) == (True, 0.0)


def test_without_held_out_pages_nobody_can_say(
    runs: tuple[RunFolder, RunFolder], services: Services, tmp_path: Path
) -> None:
    dataset = squares(tmp_path / "datasets", train=3, val=0)
    services.store.add(read_bundle(runs[0].bundle).changed(name="other"))
    services.store.alias("best", "other")
    with pytest.raises(ConflictError, match="holds nothing out"):
        _promoter(services).promote(runs[1], dataset, "best")
    assert services.store.resolve("best") == "other@1"


def test_a_model_is_registered_once_and_moves_no_alias(
    runs: tuple[RunFolder, RunFolder], services: Services, tmp_path: Path
) -> None:
    (poor, good), store = runs, services.store
    assert register(good, store).ref == register(good, store).ref == "squares@1"
    store.alias("mine", "squares")
    assert register(poor, store).ref == "squares@2"
    assert (store.resolve("mine"), store.resolve("squares")) == ("squares@1", "squares@2")
    workspace = WorkspaceStore(tmp_path / "own", store)
    assert next_version(workspace, "squares") == "3"
    with pytest.raises(ConflictError, match="not finished"):
        register(RunFolder(tmp_path), store)


def test_a_damaged_history_is_told(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    store.alias("a", "text")
    (tmp_path / ".former-aliases.json").write_text("[]")
    with pytest.raises(Exception, match="is damaged"):
        store.rollback("a")
