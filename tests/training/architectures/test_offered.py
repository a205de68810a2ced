from pathlib import Path

import pytest
import torch
from torchvision.models import get_model_weights

from limner.models.importers.torchvision_names import DETECTORS
from limner.training.architectures.offered import OFFERED, offered_weights
from limner.training.architectures.protocol import ARCHITECTURES
from limner.training.architectures.ssdlite import SsdLearner


def test_what_is_offered_is_known_on_both_sides() -> None:
    for name, architecture in OFFERED.items():
        assert name.partition("/")[2] in DETECTORS
        assert architecture in ARCHITECTURES


def test_weights_come_from_the_folder_of_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    name = "ssdlite320_mobilenet_v3_large"
    file = tmp_path / "checkpoints" / get_model_weights(name).DEFAULT.url.rpartition("/")[2]
    file.parent.mkdir()
    before = SsdLearner(("a",) * 90)
    torch.save(before.network.state_dict(), file)
    learner = SsdLearner(("a", "b"))
    taken = learner.take(offered_weights(f"torchvision/{name}"))
    assert taken.parameters > 0.95 * taken.of
    stem = "backbone.features.0.0.0.weight"
    assert torch.equal(learner.network.state_dict()[stem], before.network.state_dict()[stem])
