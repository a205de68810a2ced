import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from limner.training.detection.trunks import Trunk, group_norm, stages_of, suit_weights, without_batches


def test_groups_hold_eight_channels_and_are_thirty_two_at_most() -> None:
    assert [group_norm(width).num_groups for width in (3, 12, 16, 64, 256, 2048)] == [1, 1, 2, 8, 32, 32]


def test_statistics_of_batches_are_replaced_and_taken() -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 1), nn.Sequential(nn.BatchNorm2d(16), nn.ReLU()))
    theirs = {f"1.0.{name}": each for name, each in nn.BatchNorm2d(16).state_dict().items()}
    without_batches(network)
    assert isinstance(network[1][0], nn.GroupNorm)
    suit_weights(network, {"1.0.weight": torch.ones(16)})
    assert isinstance(network[1][0], nn.GroupNorm)
    suit_weights(network, theirs)
    assert isinstance(network[1][0], FrozenBatchNorm2d)


def test_the_measures_of_a_pyramid() -> None:
    trunk = Trunk(blocks=(1, 1, 1, 1), bottleneck=False, shrink=4, width=24)
    backbone = trunk.pyramid((1, 2, 3, 4))
    levels = backbone(torch.zeros(1, 3, 64, 64))
    assert [each.shape[1:] for each in levels.values()] == [(24, side, side) for side in (16, 8, 4, 2, 1)]
    assert [trunk.channels(stage) for stage in range(1, 5)] == [16, 32, 64, 128]
    assert [Trunk().channels(stage) for stage in range(1, 5)] == [256, 512, 1024, 2048]
    assert len(stages_of(backbone.body)) == 5
