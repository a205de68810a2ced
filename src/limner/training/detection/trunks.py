"""Backbones with a feature pyramid, and normalisation that does not mind small batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock

#: Channels in a group, and most groups (Wu & He, Group Normalization, 2018).
_IN_GROUP, _GROUPS = 8, 32


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalisation by the statistics of one image, whatever the batch."""
    groups = max(1, min(_GROUPS, channels // _IN_GROUP))
    return nn.GroupNorm(groups if channels % groups == 0 else 1, channels)


def without_batches(network: nn.Module) -> None:
    """Replace normalisation by batches with that by images, in place."""
    _replace(network, {name: group_norm(each.num_features) for name, each in _of_kind(network, nn.BatchNorm2d)})


def suit_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Let a network that normalises by images take weights that were learnt with statistics of batches.

    These are kept as they are from then on, which suits small batches as well.
    """
    theirs = {
        name: FrozenBatchNorm2d(each.num_channels)
        for name, each in _of_kind(network, nn.GroupNorm)
        if f"{name}.running_mean" in weights
    }
    _replace(network, theirs)


def _of_kind(network: nn.Module, kind: type[nn.Module]) -> list[tuple[str, Any]]:
    return [(name, each) for name, each in network.named_modules() if isinstance(each, kind)]


def _replace(network: nn.Module, parts: Mapping[str, nn.Module]) -> None:
    for name, part in parts.items():
        parent, _, last = name.rpartition(".")
        setattr(network.get_submodule(parent), last, part)


class Narrow(ResNet):  # type: ignore[misc]  # torchvision has no types
    """A ResNet whose stages have fewer channels."""

    def __init__(self, *arguments: Any, shrink: int = 1, **more: Any) -> None:  # noqa: ANN401  # torchvision's
        self._shrink = shrink
        super().__init__(*arguments, **more)

    def _make_layer(self, block: Any, planes: int, *arguments: Any, **more: Any) -> nn.Sequential:  # noqa: ANN401
        stage: nn.Sequential = super()._make_layer(block, planes // self._shrink, *arguments, **more)
        return stage


@dataclass(frozen=True, slots=True)
class Trunk:
    """The measures of a backbone and of the heads on it; those of torchvision's networks where nothing is said."""

    #: Blocks of each stage: (3, 4, 6, 3) are those of ResNet-50.
    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    bottleneck: bool = True
    #: By how much the stages are narrower.
    shrink: int = 1
    #: Channels of the pyramid, and of the layers that look at it.
    width: int = 256
    #: Units of the dense layers for boxes.
    dense: int = 1024
    #: Sides of the anchors on the five levels of the pyramid, pixels.
    anchors: tuple[int, int, int, int, int] = (32, 64, 128, 256, 512)

    def resnet(self) -> Narrow:
        """The backbone alone."""
        block = Bottleneck if self.bottleneck else BasicBlock
        blocks = list(self.blocks)
        return Narrow(block, blocks, zero_init_residual=True, norm_layer=group_norm, shrink=self.shrink)

    def pyramid(self, stages: Sequence[int], extra: ExtraFPNBlock | None = None) -> BackboneWithFPN:
        """The backbone with a feature pyramid over some of its stages, counted from 1."""
        resnet = self.resnet()
        layers = {f"layer{stage}": str(at) for at, stage in enumerate(stages)}
        channels = [self.channels(stage) for stage in stages]
        return BackboneWithFPN(resnet, layers, channels, self.width, extra)

    def channels(self, stage: int) -> int:
        """What a stage, counted from 1, gives."""
        return (64 << stage - 1) * (4 if self.bottleneck else 1) // self.shrink


def stages_of(body: nn.Module) -> list[nn.Module]:
    """The stem of a ResNet, then its stages."""
    stem = nn.ModuleList([body.get_submodule("conv1"), body.get_submodule("bn1")])
    return [stem, *(body.get_submodule(f"layer{stage}") for stage in range(1, 5))]
