from __future__ import annotations

import pytest
import torch

from limner.models.architectures.res_unet import ENCODERS, ResUNet


def test_the_encoders_that_docextractor_has():
    assert sorted(ENCODERS) == ["res_unet101", "res_unet152", "res_unet18", "res_unet34", "res_unet50"]


@pytest.mark.parametrize(
    ("encoder", "changes"),
    [
        ("res_unet18", {}),
        ("res_unet18", {"step": "pool"}),
        ("res_unet18", {"step": "none", "keep_width": True}),
        ("res_unet18", {"joined_first": True, "kernel": 1}),
        ("res_unet50", {"reduced": True}),
    ],
)
@torch.no_grad()
def test_every_pixel_gets_its_classes_at_any_size(encoder, changes):
    with torch.device("meta"):  # shapes alone
        module = ResUNet(encoder, 3, **changes).eval()
        for size in ((32, 48), (37, 61)):
            assert module(torch.zeros(1, 3, *size)).shape == (1, 3, *size)


def test_weights_are_called_as_in_docextractor():
    with torch.device("meta"):
        names = set(ResUNet("res_unet18", 3).state_dict())
        reduced = ResUNet("res_unet50", 3, reduced=True).state_dict()
        joined = ResUNet("res_unet18", 3, joined_first=True).state_dict()
    assert {
        "layer0.0.weight", "layer1.0.weight", "layer1.3.conv1.weight", "layer4_up.decode.conv.weight",
        "layer4_up.conv_block.bn1.running_mean", "final_layer.conv.weight",
    } <= names  # fmt: skip
    assert "layer3_red.conv.weight" in reduced
    assert "layer0_up.conv.weight" in joined
