from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from limner.core.errors import BundleError, CheckpointError, MissingExtraError
from limner.models.importers import extras
from limner.models.importers.exporting import (
    Conversion,
    export_checked,
    largest_difference,
    load_strictly,
    sample_pixels,
    sample_tensor,
)
from limner.models.onnx_file import read_onnx
from limner.models.runtimes.onnx import answers

SIZES = {2: "height", 3: "width"}


def conversion(module: nn.Module, **fields) -> Conversion:
    given = {
        "examples": ((sample_tensor(24, 16),), (sample_tensor(17, 31),)),
        "dynamic": {"images": SIZES, "output0": SIZES},
    }
    return Conversion(module=module, **(given | fields))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU())


def test_the_file_answers_as_the_network_at_any_size(tmp_path: Path):
    module = network().half()
    difference = export_checked(conversion(module), tmp_path / "model.onnx")
    assert difference < 1e-5
    file = read_onnx(tmp_path / "model.onnx")
    assert [(each.name, each.shape) for each in file.inputs] == [("images", (1, 3, None, None))]
    other = sample_tensor(40, 8)
    with torch.no_grad():
        expected = module(other).numpy()
    np.testing.assert_allclose(answers(tmp_path / "model.onnx", {"images": other.numpy()})[0], expected, atol=1e-5)


class Frozen(nn.Module):
    """Takes a number of its input for a constant when it is traced."""

    def forward(self, x):
        return x + float(x.mean())


class Several(nn.Module):
    def forward(self, x):
        return {"boxes": x.mean(dim=1), "rest": [x.sum(), (x * 2,)]}


def test_a_network_that_becomes_another_one_is_refused_with_the_difference(tmp_path: Path):
    with pytest.raises(BundleError, match=r"other answers than the original: they differ by 0\.\d+, and 0.001 is"):
        export_checked(conversion(Frozen()), tmp_path / "model.onnx")


def test_how_answers_are_compared_can_be_said(tmp_path: Path):
    assert export_checked(conversion(Frozen(), difference=lambda *_: 0.0), tmp_path / "model.onnx") == 0
    with pytest.raises(BundleError, match="differ by nan"):
        export_checked(conversion(network(), difference=lambda *_: float("nan")), tmp_path / "model.onnx")


def test_several_outputs(tmp_path: Path):
    given = conversion(Several(), outputs=("a", "b", "c"), dynamic={"images": SIZES})
    export_checked(given, tmp_path / "model.onnx")
    assert [each.name for each in read_onnx(tmp_path / "model.onnx").outputs] == ["a", "b", "c"]


class Text(nn.Module):
    def forward(self, x):
        return str(x.sum())


class Loops(nn.Module):
    def forward(self, x):
        return torch.linalg.eigvals(x[0, 0, :8, :8]).real


@pytest.mark.parametrize(("module", "message"), [(Text(), "gives a str"), (Loops(), "cannot be written as ONNX")])
def test_what_cannot_be_written_is_said(tmp_path: Path, module, message):
    with pytest.raises(BundleError, match=message):
        export_checked(conversion(module), tmp_path / "model.onnx")


def test_differences():
    one = [np.array([1.0, np.nan, np.inf])]
    assert largest_difference(one, one) == 0
    assert largest_difference(one, [np.array([3.0, np.nan, np.inf])]) == 1
    assert largest_difference(one, [np.array([1.0, np.nan, 5])]) == float("inf")
    assert largest_difference(one, [np.array([1.0, np.nan])]) == float("inf")
    assert largest_difference([np.empty((0, 4))], [np.empty((0, 4))]) == 0
    assert largest_difference([np.array([True, False])], [np.array([True, True])]) == 1


def test_weights_have_to_fit():
    weights = network().state_dict()
    module = network()
    load_strictly(module, {k: v + 1 for k, v in weights.items() if "num_batches" not in k}, "the network")
    assert torch.equal(module.state_dict()["0.bias"], weights["0.bias"] + 1)
    for changed, message in (
        ({k: v for k, v in weights.items() if k != "0.bias"}, "has no 0.bias"),
        (weights | {"9.bias": torch.ones(1)}, "has also 9.bias"),
        (weights | {"0.bias": torch.ones(5)}, "of another shape, 0.bias"),
    ):
        with pytest.raises(CheckpointError, match=f"does not fit the network: it .*{message}"):
            load_strictly(network(), changed, "the network")


def test_the_sample_is_the_same_each_time():
    assert np.array_equal(sample_pixels(64, 96), sample_pixels(64, 96))
    assert sample_tensor(64, 96).shape == (1, 3, 96, 64)
    assert sample_pixels(5, 3).shape == (3, 5, 3)


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"Reading needs torch, torchvision, onnx, .* pip install 'limner\[train\]'"
    ):
        extras.need_train("Reading")
