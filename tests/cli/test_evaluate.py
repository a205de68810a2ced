import json
from pathlib import Path

from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from limner.training.datasets.dataset import Dataset
from limner.training.datasets.store import DatasetStore
from tests.cli.conftest import Run
from tests.models.networks import bright_boxes_bundle
from tests.training.datasets.made import page


def test_a_model_is_measured_from_the_shell(limner: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    ModelStore(Path(environment["LIMNER_DATA"]) / "models").add(read_bundle(bright_boxes_bundle(tmp_path / "bright")))
    store = DatasetStore(Path(environment["LIMNER_DATA"]) / "datasets")
    pages = tuple(page(store, at, [("bright", 6 * at, 6, 30, 36)], split="test") for at in range(3))
    store.add(Dataset(name="boxes", version="", labels=("bright",), pages=pages, images=store.images))
    done = limner("evaluate", "bright", "boxes", "--compare", "bright", "-o", str(tmp_path / "out"), "--json")
    plain = json.loads(done.stdout)
    assert (plain["model"], plain["dataset"], plain["map50"]) == ("bright@1", "boxes@1", 1.0)
    assert plain["comparison"]["surely_better"] is False
    assert (tmp_path / "out" / "report.html").is_file()
    shown = limner("evaluate", "bright", "boxes", "--split", "test").stdout
    assert "bright@1 on 3 pages of boxes@1" in shown
    assert "Did you mean boxes" in limner("evaluate", "bright", "boxs", code=1).stderr
    assert "train" in limner("evaluate", "bright", "boxes", "--split", "dev", code=2).stderr
