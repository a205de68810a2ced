from __future__ import annotations

import pytest
import torch
from torchvision.models import get_model

from limner.core.errors import BundleError
from limner.models.importers.torchvision_names import NAMES, Recognised, is_torchvision, recognise, unwrapped


def weights(name: str, classes: int, **extras: bool) -> dict[str, torch.Tensor]:
    """Those of a network of torchvision, without their numbers."""
    bare = {} if name == "resnet18" else {"weights_backbone": None}
    with torch.device("meta"):
        return get_model(name, weights=None, num_classes=classes, **bare, **extras).state_dict()


@pytest.mark.parametrize("name", NAMES)
def test_each_network_is_recognised_by_its_weights(name: str):
    extras = {"aux_loss": name.endswith("101")} if name.startswith("deeplabv3") else {}
    found = weights(name, 7, **extras)
    assert is_torchvision(found)
    assert recognise(found) == Recognised(name, 7, extras)


def test_what_programs_put_before_all_names_is_taken_off():
    assert unwrapped({"module.model.a": 1, "module.model.b": 2}) == {"a": "module.model.a", "b": "module.model.b"}
    assert unwrapped({"module.a": 1, "b": 2}) == {"module.a": "module.a", "b": "b"}
    assert unwrapped({}) == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("keypointrcnn_resnet50_fpn", "a network with keypoints"),
        ("fasterrcnn_mobilenet_v3_large_fpn", "an R-CNN on another backbone"),
        ("resnet18", "no network of torchvision that Limner knows"),
    ],
)
def test_others_are_refused(name: str, message: str):
    with pytest.raises(BundleError, match=message):
        recognise(weights(name, 3))
    assert is_torchvision(weights(name, 3)) == (name != "resnet18")
