"""The layers of YOLOv5, YOLOv8 and YOLO11, by the names that their checkpoints and descriptions use.

Written anew from what the layers compute; attributes are called as in those programs, so that weights fit by name.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

#: Both programs set this, and not torch's own.
_EPSILON = 1e-3


def same_padding(kernel: int, dilation: int = 1) -> int:
    """Padding that keeps the size at a stride of 1."""
    return (dilation * (kernel - 1) + 1) // 2


class Conv(nn.Module):
    """Convolution, normalisation, activation."""

    def __init__(
        self,
        c1: int,
        c2: int,
        k: int = 1,
        s: int = 1,
        p: int | None = None,
        g: int = 1,
        d: int = 1,
        act: bool | nn.Module = True,
    ) -> None:
        super().__init__()
        padding = same_padding(k, d) if p is None else p
        self.conv = nn.Conv2d(c1, c2, k, s, padding, groups=g, dilation=d, bias=False)
        self.bn = nn.BatchNorm2d(c2, eps=_EPSILON, momentum=0.03)
        if isinstance(act, nn.Module):
            self.act = act
        else:
            self.act = nn.SiLU(inplace=True) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """One after the other."""
        out: Tensor = self.act(self.bn(self.conv(x)))
        return out


class DWConv(Conv):
    """The same for each group of channels by itself."""

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1, d: int = 1, act: bool | nn.Module = True) -> None:
        super().__init__(c1, c2, k, s, g=_greatest_common(c1, c2), d=d, act=act)


def _greatest_common(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


class Focus(nn.Module):
    """Every second pixel becomes a channel of its own, then a convolution (YOLOv5 before v6)."""

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1, p: int | None = None, g: int = 1) -> None:
        super().__init__()
        self.conv = Conv(c1 * 4, c2, k, s, p, g)

    def forward(self, x: Tensor) -> Tensor:
        """Half as wide and high."""
        parts = [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]]
        out: Tensor = self.conv(torch.cat(parts, 1))
        return out


class Bottleneck(nn.Module):
    """Two convolutions, and perhaps the input added."""

    def __init__(
        self,
        c1: int,
        c2: int,
        shortcut: bool = True,
        g: int = 1,
        k: tuple[int, int] = (3, 3),
        e: float = 0.5,
    ) -> None:
        super().__init__()
        hidden = int(c2 * e)
        self.cv1 = Conv(c1, hidden, k[0], 1)
        self.cv2 = Conv(hidden, c2, k[1], 1, g=g)
        self.add = shortcut and c1 == c2

    def forward(self, x: Tensor) -> Tensor:
        """With or without the input."""
        out: Tensor = self.cv2(self.cv1(x))
        return x + out if self.add else out


class BottleneckCSP(nn.Module):
    """Bottlenecks beside a plain convolution, normalised together (YOLOv5 before v4)."""

    def __init__(self, c1: int, c2: int, n: int = 1, shortcut: bool = True, g: int = 1, e: float = 0.5) -> None:
        super().__init__()
        hidden = int(c2 * e)
        self.cv1 = Conv(c1, hidden)
        self.cv2 = nn.Conv2d(c1, hidden, 1, 1, bias=False)
        self.cv3 = nn.Conv2d(hidden, hidden, 1, 1, bias=False)
        self.cv4 = Conv(2 * hidden, c2)
        self.bn = nn.BatchNorm2d(2 * hidden, eps=_EPSILON, momentum=0.03)
        self.act = nn.SiLU()
        self.m = nn.Sequential(*(Bottleneck(hidden, hidden, shortcut, g, (1, 3), 1.0) for _ in range(n)))

    def forward(self, x: Tensor) -> Tensor:
        """Both ways, joined."""
        joined = torch.cat((self.cv3(self.m(self.cv1(x))), self.cv2(x)), 1)
        out: Tensor = self.cv4(self.act(self.bn(joined)))
        return out


class C3(nn.Module):
    """Bottlenecks beside a plain convolution."""

    #: Sizes of the two convolutions of a bottleneck.
    kernels = (1, 3)

    def __init__(self, c1: int, c2: int, n: int = 1, shortcut: bool = True, g: int = 1, e: float = 0.5) -> None:
        super().__init__()
        hidden = int(c2 * e)
        self.cv1 = Conv(c1, hidden)
        self.cv2 = Conv(c1, hidden)
        self.cv3 = Conv(2 * hidden, c2)
        self.m = nn.Sequential(*(Bottleneck(hidden, hidden, shortcut, g, self.kernels, 1.0) for _ in range(n)))

    def forward(self, x: Tensor) -> Tensor:
        """Both ways, joined."""
        out: Tensor = self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))
        return out


class C3k(C3):
    """The same with wider bottlenecks."""

    kernels = (3, 3)


class C2f(nn.Module):
    """A chain of bottlenecks of which every link is kept."""

    def __init__(self, c1: int, c2: int, n: int = 1, shortcut: bool = False, g: int = 1, e: float = 0.5) -> None:
        super().__init__()
        self.c = int(c2 * e)
        self.cv1 = Conv(c1, 2 * self.c)
        self.cv2 = Conv((2 + n) * self.c, c2)
        self.m = nn.ModuleList(self._link(shortcut, g) for _ in range(n))

    def _link(self, shortcut: bool, g: int) -> nn.Module:
        return Bottleneck(self.c, self.c, shortcut, g, (3, 3), 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """All links, joined."""
        parts = list(self.cv1(x).chunk(2, 1))
        for link in self.m:
            parts.append(link(parts[-1]))
        out: Tensor = self.cv2(torch.cat(parts, 1))
        return out


class C3k2(C2f):
    """The same with narrower links, or with a `C3k` for each."""

    def __init__(
        self, c1: int, c2: int, n: int = 1, c3k: bool = False, e: float = 0.5, g: int = 1, shortcut: bool = True
    ) -> None:
        self._nested = c3k
        super().__init__(c1, c2, n, shortcut, g, e)

    def _link(self, shortcut: bool, g: int) -> nn.Module:
        if self._nested:
            return C3k(self.c, self.c, 2, shortcut, g)
        return Bottleneck(self.c, self.c, shortcut, g)


class SPP(nn.Module):
    """What is strongest within several distances."""

    def __init__(self, c1: int, c2: int, k: Sequence[int] = (5, 9, 13)) -> None:
        super().__init__()
        self.cv1 = Conv(c1, c1 // 2)
        self.cv2 = Conv(c1 // 2 * (len(k) + 1), c2)
        self.m = nn.ModuleList(nn.MaxPool2d(each, 1, each // 2) for each in k)

    def forward(self, x: Tensor) -> Tensor:
        """All distances, joined."""
        x = self.cv1(x)
        out: Tensor = self.cv2(torch.cat([x, *(pool(x) for pool in self.m)], 1))
        return out


class SPPF(nn.Module):
    """The same with one pool used three times."""

    def __init__(self, c1: int, c2: int, k: int = 5) -> None:
        super().__init__()
        self.cv1 = Conv(c1, c1 // 2)
        self.cv2 = Conv(c1 // 2 * 4, c2)
        self.m = nn.MaxPool2d(k, 1, k // 2)

    def forward(self, x: Tensor) -> Tensor:
        """All distances, joined."""
        parts = [self.cv1(x)]
        for _ in range(3):
            parts.append(self.m(parts[-1]))
        out: Tensor = self.cv2(torch.cat(parts, 1))
        return out


class Attention(nn.Module):
    """Every place looks at every other."""

    def __init__(self, dim: int, num_heads: int = 8, attn_ratio: float = 0.5) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.key_dim = int(self.head_dim * attn_ratio)
        self.scale = self.key_dim**-0.5
        self.qkv = Conv(dim, dim + self.key_dim * num_heads * 2, act=False)
        self.proj = Conv(dim, dim, act=False)
        self.pe = Conv(dim, dim, 3, g=dim, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """Weighted by likeness; a convolution says where each place is."""
        batch, channels, height, width = x.shape
        mixed = self.qkv(x).view(batch, self.num_heads, self.key_dim * 2 + self.head_dim, height * width)
        query, key, value = mixed.split([self.key_dim, self.key_dim, self.head_dim], dim=2)
        weights = ((query.transpose(-2, -1) @ key) * self.scale).softmax(dim=-1)
        seen = (value @ weights.transpose(-2, -1)).view(batch, channels, height, width)
        out: Tensor = self.proj(seen + self.pe(value.reshape(batch, channels, height, width)))
        return out


class PSABlock(nn.Module):
    """Attention, then two convolutions, each added to its input."""

    def __init__(self, c: int, attn_ratio: float = 0.5, num_heads: int = 4) -> None:
        super().__init__()
        self.attn = Attention(c, num_heads, attn_ratio)
        self.ffn = nn.Sequential(Conv(c, c * 2), Conv(c * 2, c, act=False))
        self.add = True

    def forward(self, x: Tensor) -> Tensor:
        """One after the other."""
        x = x + self.attn(x)
        out: Tensor = x + self.ffn(x)
        return out


class C2PSA(nn.Module):
    """Attention for half of the channels."""

    def __init__(self, c1: int, c2: int, n: int = 1, e: float = 0.5) -> None:
        super().__init__()
        if c1 != c2:
            raise ValueError("C2PSA gives as many channels as it takes")
        self.c = int(c1 * e)
        self.cv1 = Conv(c1, 2 * self.c)
        self.cv2 = Conv(2 * self.c, c1)
        self.m = nn.Sequential(*(PSABlock(self.c, 0.5, max(self.c // 64, 1)) for _ in range(n)))

    def forward(self, x: Tensor) -> Tensor:
        """Both halves, joined."""
        first, second = self.cv1(x).chunk(2, 1)
        out: Tensor = self.cv2(torch.cat((first, self.m(second)), 1))
        return out


class Concat(nn.Module):
    """Channels of several layers, one after the other."""

    def __init__(self, d: int = 1) -> None:
        super().__init__()
        self.d = d

    def forward(self, x: list[Tensor]) -> Tensor:
        """Joined."""
        return torch.cat(x, self.d)
