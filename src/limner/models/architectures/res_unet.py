"""ResUNet, the network of docExtractor: a ResNet on the way down, convolutions and joined features on the way up."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet

#: Encoders by the names of the networks.
ENCODERS = {f"res_unet{depth}": getattr(resnet, f"resnet{depth}") for depth in (18, 34, 50, 101, 152)}
#: How the encoder goes from the first to the second level.
Step = Literal["convolution", "pool", "none"]

_LAST = 32
#: Channels that deep encoders may be reduced to, by level.
_REDUCED = {1: 128, 2: 256, 3: 512, 4: 1024}


class UpsampleConv(nn.Module):
    """Enlarge between neighbours, then a convolution."""

    def __init__(self, c1: int, c2: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(c2)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """As large as the other."""
        x = functional.interpolate(x, size=other.shape[2:], mode="bilinear", align_corners=False)
        return functional.relu(self.norm(self.conv(x)))


class Up(nn.Module):
    """One level up: enlarge, join with the features of that level, a convolution."""

    def __init__(self, c1: int, c2: int, joined: int, *, kernel: int, keep: bool) -> None:
        super().__init__()
        width = c1 if keep else c1 // 2
        self.decode = UpsampleConv(c1, width, kernel)
        self.conv_block = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(width + joined, c2, 3, padding=1, bias=False),
                bn1=nn.BatchNorm2d(c2),
                relu1=nn.ReLU(),
            )
        )

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """Features of the higher level."""
        out: Tensor = self.conv_block(torch.cat((self.decode(x, other), other), 1))
        return out


class JoinedUp(nn.Module):
    """The same in another order: enlarge, join, one convolution."""

    def __init__(self, c1: int, c2: int, joined: int, *, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1 + joined, c2, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(c2)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """Features of the higher level."""
        x = functional.interpolate(x, size=other.shape[2:], mode="bilinear", align_corners=False)
        return functional.relu(self.norm(self.conv(torch.cat((x, other), 1))))


def _width(stage: nn.Module) -> int:
    """Channels that a stage of a ResNet gives."""
    return [each for each in stage.modules() if isinstance(each, nn.Conv2d)][-1].out_channels


def _between(step: Step, down: resnet.ResNet) -> list[nn.Module]:
    """What lies before the first stage."""
    if step == "none":
        return []
    if step == "pool":
        return [down.maxpool]
    width = down.conv1.out_channels
    return [nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]


def _reduction(c1: int, c2: int) -> nn.Sequential:
    """Fewer channels."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(c1, c2, 1, bias=False), bn=nn.BatchNorm2d(c2), relu=nn.ReLU()
    )
    return nn.Sequential(layers)


class ResUNet(nn.Module):
    """The whole network; the arguments are those of docExtractor, by what they do."""

    def __init__(
        self,
        encoder: str | resnet.ResNet,
        classes: int,
        *,
        step: Step = "convolution",
        reduced: bool = False,
        joined_first: bool = False,
        keep_width: bool = False,
        kernel: int = 3,
    ) -> None:
        super().__init__()
        down = encoder if isinstance(encoder, resnet.ResNet) else ENCODERS[encoder](weights=None)
        levels = [down.conv1.out_channels, *(_width(getattr(down, f"layer{level}")) for level in range(1, 5))]
        self.layer0 = nn.Sequential(down.conv1, down.bn1, down.relu)
        self.layer1 = nn.Sequential(*_between(step, down), *down.layer1)
        self.layer2, self.layer3, self.layer4 = down.layer2, down.layer3, down.layer4
        self.reduced = reduced
        if reduced:
            for level, width in _REDUCED.items():
                setattr(self, f"layer{level}_red", _reduction(levels[level], width))
                levels[level] = width
        outer = [_LAST, *levels[:4]]
        for level in range(5):
            joined = 3 if level == 0 else levels[level - 1]
            up: nn.Module
            if joined_first:
                up = JoinedUp(levels[level], outer[level], joined, kernel=kernel)
            else:
                up = Up(levels[level], outer[level], joined, kernel=kernel, keep=keep_width)
            setattr(self, f"layer{level}_up", up)
        self.final_layer = nn.Sequential(OrderedDict(conv=nn.Conv2d(_LAST, classes, 1, bias=False)))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, class × height × width."""
        seen = [x]
        for level in range(5):
            seen.append(getattr(self, f"layer{level}")(seen[-1]))
        if self.reduced:
            seen[2:] = [getattr(self, f"layer{level}_red")(each) for level, each in enumerate(seen[2:], 1)]
        out = seen[5]
        for level in range(4, -1, -1):
            out = getattr(self, f"layer{level}_up")(out, seen[level])
        logits: Tensor = self.final_layer(out)
        return logits
