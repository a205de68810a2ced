from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from limner.core.errors import TrainingError
from limner.training.architectures.lite import LITE, LiteLearner
from limner.training.config import RunConfig
from limner.training.datasets.dataset import Dataset
from limner.training.fitting.fit import FitTask, fit, make_task
from limner.training.fitting.folder import RunFolder, read_metrics
from tests.training.fitting.squares import LABELS, config, squares


class Small:
    """The light detector, smaller."""

    name, title, task, masks, defaults = "lite", "Small", "detect", False, LITE.defaults

    def build(self, labels: tuple[str, ...], config: RunConfig) -> LiteLearner:
        return LiteLearner(labels, width=8)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return squares(tmp_path_factory.mktemp("data"))


def _task(folder: Path, dataset: Dataset, **changes: object) -> FitTask:
    return make_task(RunFolder(folder), dataset, config(**changes), Small())


def _losses(folder: Path) -> list[tuple[int, float]]:
    return [(line["batch"], line["loss"]) for line in read_metrics(folder / "metrics.jsonl") if line["kind"] == "loss"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    """A run of 12 epochs without a break."""
    folder = tmp_path_factory.mktemp("whole")
    task = _task(folder, dataset, epochs=12, ema=0.9)
    result = fit(task)
    assert result.status == "finished"
    assert result.evaluation is not None
    assert result.evaluation.coco.ap50 == pytest.approx(result.progress.best, abs=1e-6)
    return folder


def test_the_loss_falls_and_the_figures_rise(whole: Path) -> None:
    losses = _losses(whole)
    assert len(losses) == 48
    assert losses[-1][1] < 0.7 * losses[0][1]
    lines = [line for line in read_metrics(whole / "metrics.jsonl") if line["kind"] == "validation"]
    assert [line["epoch"] for line in lines] == list(range(1, 13))
    assert max(line["ap50"] for line in lines) > lines[0]["ap50"] + 0.2
    assert set(lines[-1]["by_label"]) == set(LABELS)
    assert (whole / "samples" / "epoch-0012.jpg").stat().st_size > 2000


def test_a_run_that_is_taken_up_again_follows_the_same_curve(whole: Path, dataset: Dataset, tmp_path: Path) -> None:
    changes = {"epochs": 12, "ema": 0.9, "checkpoint_minutes": 1e-9}
    task = _task(tmp_path, dataset, **changes)

    def break_off(line: Mapping[str, Any]) -> None:
        if line["batch"] == 6:  # in the midst of the second epoch; the last checkpoint is one batch old
            raise ConnectionResetError

    task.tell = break_off
    with pytest.raises(ConnectionResetError):
        fit(task)
    assert len(_losses(tmp_path)) == 6
    result = fit(_task(tmp_path, dataset, **changes), resume=True)
    assert result.status == "finished"
    assert _losses(tmp_path) == _losses(whole)
    assert fit(_task(tmp_path, dataset, **changes), resume=True).progress.batch == 48


def test_fewer_figures_than_before_end_it(dataset: Dataset, tmp_path: Path) -> None:
    result = fit(_task(tmp_path, dataset, epochs=30, learning_rate=1e-9, ema=0, patience=2))
    assert result.status == "finished"
    assert result.progress.batch < 30 * 4
    assert torch.isfinite(torch.tensor(result.progress.best))


def test_a_dataset_without_pages_to_learn_from_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    without = Dataset(name="x", version="1", labels=LABELS, pages=dataset.split("val"), images=dataset.images)
    with pytest.raises(TrainingError, match="no page to learn from"):
        _task(tmp_path, without)


def test_a_loss_that_is_no_number_ends_it(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="lower learning rate"):
        fit(_task(tmp_path, dataset, learning_rate=10.0, warmup=0.0, weight_decay=1.0, epochs=40))
