"""A YOLO network from its description: the table of layers that its programs keep as YAML.

A row is ``[from, repeats, layer, arguments]``. Widths and repeats are given for the largest network; the
description says by what they are multiplied. The two programs read the same table in slightly different ways.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from torch import Tensor, nn

from limner.core.errors import BundleError
from limner.models.architectures import yolo_blocks as blocks
from limner.models.architectures import yolo_heads as heads

Program = Literal["yolov5", "ultralytics"]

#: Layers that take channels in and out first …
_WIDENING: dict[str, Callable[..., nn.Module]] = {
    "Conv": blocks.Conv,
    "DWConv": blocks.DWConv,
    "Focus": blocks.Focus,
    "Bottleneck": blocks.Bottleneck,
    "BottleneckCSP": blocks.BottleneckCSP,
    "C3": blocks.C3,
    "C3k2": blocks.C3k2,
    "C2f": blocks.C2f,
    "C2PSA": blocks.C2PSA,
    "SPP": blocks.SPP,
    "SPPF": blocks.SPPF,
}
#: … and those of them that repeat a part of themselves.
_REPEATING = {"BottleneckCSP", "C3", "C3k2", "C2f", "C2PSA"}
_HEADS = {"Detect", "Segment"}
#: Arguments that a description may give as text.
_WORDS: dict[str, object] = {"None": None, "True": True, "False": False}
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "nn.SiLU()": nn.SiLU,
    "nn.ReLU()": nn.ReLU,
    "nn.LeakyReLU(0.1)": lambda: nn.LeakyReLU(0.1),
    "nn.Hardswish()": nn.Hardswish,
    "nn.Identity()": nn.Identity,
}
_MOST_LAYERS = 500


@dataclass(frozen=True, slots=True)
class Layer:
    """One row, read."""

    module: nn.Module
    #: Which layers it takes its input from; -1 is the one before.
    sources: tuple[int, ...]
    #: Whether it takes a list, even of one.
    takes_list: bool


class Yolo(nn.Module):
    """The whole network; its layers are called ``model.0`` and so on, as in checkpoints."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.model = nn.Sequential(*(layer.module for layer in layers))
        self._sources = [(layer.sources, layer.takes_list) for layer in layers]
        self._kept = {
            source % position
            for position, layer in enumerate(layers)
            for source in layer.sources
            if source != -1 and position
        }

    @property
    def head(self) -> heads.AnchorDetect | heads.Detect:
        """The last layer."""
        last = self.model[-1]
        if not isinstance(last, heads.AnchorDetect | heads.Detect):
            raise BundleError("The network has no head that detects or segments.")
        return last

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The answer of the head to images with numbers from 0 to 1."""
        kept: dict[int, Any] = {}
        out: Any = x
        for position, (module, (sources, takes_list)) in enumerate(zip(self.model, self._sources, strict=True)):
            inputs = [out if source == -1 else kept[source % position] for source in sources]
            out = module(inputs if takes_list else inputs[0])
            if position in self._kept:
                kept[position] = out
        answer: Tensor | tuple[Tensor, Tensor] = out
        return answer


def build_yolo(description: Mapping[str, Any], program: Program, labels: int) -> Yolo:
    """The network with weights as torch starts them; raises `BundleError` naming a layer that is not known."""
    rows = [*description.get("backbone", ()), *description.get("head", ())]
    if not 0 < len(rows) <= _MOST_LAYERS:
        raise BundleError(f"The description of the network has {len(rows)} layers.")
    builder = _Builder(description, program, labels)
    for row in rows:
        try:
            builder.add(*row)
        except (TypeError, ValueError, KeyError, IndexError, RuntimeError, ZeroDivisionError) as error:
            raise BundleError(f"The layer {str(row)[:200]} in the description cannot be made: {error}.") from error
    network = Yolo(builder.layers)
    network.head.stride = builder.strides
    _set_activation(network, description.get("activation"))
    return network


def _set_activation(network: Yolo, name: object) -> None:
    """Use another activation in all convolutions that have one."""
    if name is None:
        return
    if name not in _ACTIVATIONS:
        raise BundleError(f"The network uses the activation {str(name)[:80]}, which is not known.")
    for module in network.modules():
        if isinstance(module, blocks.Conv) and not isinstance(module.act, nn.Identity):
            module.act = _ACTIVATIONS[str(name)]()


@dataclass(slots=True)
class _Builder:
    """Reads rows one after the other."""

    description: Mapping[str, Any]
    program: Program
    labels: int
    layers: list[Layer] = field(default_factory=list)
    #: Channels and reduction of what each layer gives.
    widths: list[int] = field(default_factory=list)
    reductions: list[float] = field(default_factory=list)
    #: Reductions at the head.
    strides: tuple[int, ...] = ()
    #: Whether the head has light branches for scores, as networks with `C3k2` have.
    light: bool = False

    def add(self, source: int | list[int], repeats: int, kind: str, given: Sequence[Any]) -> None:
        """Read a row."""
        sources = tuple(source) if isinstance(source, list | tuple) else (int(source),)
        depth = self._scale()[0]
        count = max(round(repeats * depth), 1) if repeats > 1 else repeats
        args = [self._argument(each) for each in given]
        name = kind.removeprefix("nn.")
        if name in _WIDENING:
            self._widening(name, args, sources, count)
        elif name in _HEADS:
            self._head(name, args, sources)
        elif name == "Concat":
            self._put(blocks.Concat(*args), sources, sum(map(self._width, sources)), takes_list=True)
        elif name == "Upsample":
            upsample = nn.Upsample(*args)
            self._put(upsample, sources, self._width(sources[0]), 1 / float(args[1]))
        else:
            raise BundleError(f"The network has a layer {kind[:80]}, which is not known.")

    def _scale(self) -> tuple[float, float, float]:
        """Factors for depth and width, and the most channels."""
        table = self.description.get("scales")
        if isinstance(table, Mapping) and table:
            scale = self.description.get("scale") or next(iter(table))
            depth, width, most = table[scale]
            return float(depth), float(width), float(most)
        depth, width = (self.description.get(f"{each}_multiple", 1.0) for each in ("depth", "width"))
        return float(depth), float(width), math.inf

    def _argument(self, given: object) -> Any:  # noqa: ANN401  # whatever the description says
        if not isinstance(given, str):
            return given
        if given in ("nc", "anchors"):
            return self.labels if given == "nc" else self.description["anchors"]
        return _WORDS.get(given, given)

    def _channels(self, wanted: float) -> int:
        """A width as this network has it: a multiple of 8."""
        _, width, most = self._scale()
        return math.ceil(min(wanted, most) * width / 8) * 8

    def _widening(self, name: str, args: list[Any], sources: tuple[int, ...], count: int) -> None:
        out = self._channels(args[0])
        args = [self._width(sources[0]), out, *args[1:]]
        if name in _REPEATING:
            args.insert(2, count)
            count = 1
        if name == "C3k2":
            self.light = True
            if str(self.description.get("scale")) in "mlx":
                args[3:4] = [True]
        make = _WIDENING[name]
        if name == "Bottleneck" and self.program == "yolov5":
            make = partial(blocks.Bottleneck, k=(1, 3))
        made = [make(*args)]
        made += [make(out, *args[1:]) for _ in range(count - 1)]
        reduction = 2.0 if name == "Focus" else 1.0
        if name in ("Conv", "DWConv") and len(args) > 3:
            reduction = float(args[3]) ** count
        self._put(made[0] if len(made) == 1 else nn.Sequential(*made), sources, out, reduction)

    def _head(self, name: str, args: list[Any], sources: tuple[int, ...]) -> None:
        channels = [self._width(each) for each in sources]
        self.strides = tuple(round(self._reduction(each)) for each in sources)
        if self.program == "yolov5":
            self._put(self._anchor_head(name, args, channels), sources, 0, takes_list=True)
        elif name == "Detect":
            self._put(heads.Detect(args[0], channels, light=self.light), sources, 0, takes_list=True)
        else:
            nc, masks, prototypes = args[:3]
            head = heads.Segment(nc, masks, self._channels(prototypes), channels, light=self.light)
            self._put(head, sources, 0, takes_list=True)

    def _anchor_head(self, name: str, args: list[Any], channels: list[int]) -> nn.Module:
        anchors = args[1]
        if isinstance(anchors, int):  # only their number: they were found in training
            anchors = [[0.0] * anchors * 2 for _ in channels]
        # Descriptions have them in pixels.
        anchors = [[each / step for each in level] for level, step in zip(anchors, self.strides, strict=True)]
        if name == "Detect":
            return heads.AnchorDetect(args[0], anchors, channels)
        return heads.AnchorSegment(args[0], anchors, args[2], self._channels(args[3]), channels)

    def _put(
        self,
        module: nn.Module,
        sources: tuple[int, ...],
        width: int,
        reduction: float = 1.0,
        *,
        takes_list: bool = False,
    ) -> None:
        before = self._reduction(sources[0])
        self.layers.append(Layer(module, sources, takes_list))
        self.widths.append(width)
        self.reductions.append(before * reduction)

    def _width(self, source: int) -> int:
        return self.widths[source] if self.widths else int(self.description.get("ch") or 3)

    def _reduction(self, source: int) -> float:
        return self.reductions[source] if self.reductions else 1.0
