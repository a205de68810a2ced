"""Detectron2's Faster and Mask R-CNN with a feature pyramid, built from the tensors of a checkpoint.

Widths, depths and numbers of classes are those of the tensors; what these cannot tell (where strides
lie, how anchors are laid, thresholds) comes with `Detectron2Rules`. Batch normalisations that are frozen
or no longer trained are folded into the convolutions before them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from limner.core.errors import BundleError
from limner.models.architectures.two_stage import ProposalRules, RoiRules, TwoStage

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear, nn.ConvTranspose2d)

#: Keeps a variance of 0 from dividing by 0, in Detectron2's batch normalisations.
_EPSILON = 1e-5
_MASKS = "roi_heads.mask_head.predictor.weight"
_LEVELS = (2, 3, 4, 5)
#: Parts of a checkpoint that say nothing which the configuration does not.
_NOT_NEEDED = ("pixel_mean", "pixel_std", "proposal_generator.anchor_generator.", "num_batches_tracked")


@dataclass(frozen=True, slots=True)
class Detectron2Rules:
    """What the tensors cannot tell."""

    #: Whether a block's stride is in its first convolution (1 × 1), as in the MSRA networks.
    stride_in_1x1: bool
    #: Groups of the 3 × 3 convolutions (ResNeXt).
    groups: int
    #: Whether the levels of the pyramid are averaged instead of added.
    averages: bool
    #: Sides of anchors for each level, and their height by width.
    anchor_sizes: tuple[tuple[float, ...], ...]
    anchor_ratios: tuple[tuple[float, ...], ...]
    proposals: ProposalRules
    rois: RoiRules


class Tensors:
    """The tensors of a checkpoint; remembers which were taken, so that nothing is overlooked."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors
        self._left = {name for name in tensors if not any(part in name for part in _NOT_NEEDED)}

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def take(self, name: str) -> Tensor:
        """A tensor by its name, as float32; raises `BundleError` where it is missing."""
        try:
            found = self._tensors[name]
        except KeyError as error:
            raise BundleError(f"The checkpoint has no tensor {name}.") from error
        self._left.discard(name)
        return found.detach().float()

    def check_all_taken(self) -> None:
        """Raise `BundleError` where the checkpoint has parts that were not understood."""
        if self._left:
            some = ", ".join(sorted(self._left)[:3])
            raise BundleError(
                f"The checkpoint has {len(self._left)} tensors that this network has no place for: {some}."
            )

    def convolution(self, name: str, *, stride: int = 1, padding: int = 0, groups: int = 1) -> nn.Conv2d:
        """A convolution with its batch normalisation folded in, if it has one."""
        weight = self.take(f"{name}.weight")
        if weight.ndim != 4:
            raise BundleError(f"{name}.weight has {weight.ndim} axes where a convolution has 4.")
        bias = self.take(f"{name}.bias") if f"{name}.bias" in self else torch.zeros(len(weight))
        if f"{name}.norm.weight" in self:
            weight, bias = self._folded(f"{name}.norm", weight, bias)
        out, inside, *kernel = weight.shape
        with torch.device("meta"):  # not drawn at random first
            made = nn.Conv2d(inside * groups, out, (kernel[0], kernel[1]), stride, padding, groups=groups)
        return _filled(made, weight, bias)

    def _folded(self, name: str, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """A convolution's weights with the normalisation after it."""
        if f"{name}.running_var" not in self:
            raise BundleError(f"{name} is a group normalisation, which Limner does not convert.")
        scale = self.take(f"{name}.weight") / (self.take(f"{name}.running_var") + _EPSILON).sqrt()
        shift = self.take(f"{name}.bias") - self.take(f"{name}.running_mean") * scale
        return weight * scale[:, None, None, None], bias * scale + shift

    def linear(self, name: str) -> nn.Linear:
        """A fully connected layer."""
        weight = self.take(f"{name}.weight")
        with torch.device("meta"):
            made = nn.Linear(weight.shape[1], weight.shape[0])
        return _filled(made, weight, self.take(f"{name}.bias"))

    def deconvolution(self, name: str) -> nn.ConvTranspose2d:
        """A convolution the other way round that doubles the size."""
        weight = self.take(f"{name}.weight")
        with torch.device("meta"):
            made = nn.ConvTranspose2d(weight.shape[0], weight.shape[1], 2, 2)
        return _filled(made, weight, self.take(f"{name}.bias"))

    def count(self, pattern: str) -> int:
        """How many parts there are, numbered from 0, whose names follow a pattern with ``{}``."""
        number = 0
        while pattern.format(number) in self:
            number += 1
        return number


def build(tensors: Mapping[str, Tensor], rules: Detectron2Rules) -> TwoStage:
    """The network of a checkpoint; raises `BundleError` where tensors are missing or left over."""
    source = Tensors(tensors)
    _check_widths(source, count_classes(tensors))
    anchors = [_cell_anchors(*each) for each in zip(rules.anchor_sizes, rules.anchor_ratios, strict=True)]
    network = TwoStage(
        backbone=_Pyramid(source, rules),
        proposal_head=_ProposalHead(source),
        anchors=anchors,
        proposals=rules.proposals,
        box_head=_BoxHead(source),
        mask_head=_MaskHead(source) if _MASKS in source else None,
        rules=rules.rois,
    )
    source.check_all_taken()
    return network.eval()


def count_classes(tensors: Mapping[str, Tensor]) -> int:
    """How many classes a network tells apart, without the background; raises `BundleError` where it has no box head."""
    return len(Tensors(tensors).take("roi_heads.box_predictor.cls_score.weight")) - 1


def _check_widths(source: Tensors, classes: int) -> None:
    """Raise `BundleError` where the heads do not speak of the same classes."""
    boxes = len(source.take("roi_heads.box_predictor.bbox_pred.weight"))
    masks = len(source.take(_MASKS)) if _MASKS in source else 1
    if boxes not in (4, 4 * classes) or masks not in (1, classes):
        raise BundleError(
            f"The heads do not fit each other: {classes} classes, {boxes} numbers for boxes, {masks} masks."
        )


def _filled(layer: Layer, weight: Tensor, bias: Tensor) -> Layer:
    layer.weight = nn.Parameter(weight, requires_grad=False)
    layer.bias = nn.Parameter(bias, requires_grad=False)
    return layer


def _cell_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
    """Anchors around 0, 0 of some areas (size²) and ratios of height to width."""
    rows = []
    for size in sizes:
        for ratio in ratios:
            width = math.sqrt(size**2 / ratio)
            half = (width / 2, ratio * width / 2)
            rows.append((-half[0], -half[1], half[0], half[1]))
    return torch.tensor(rows)


class _Block(nn.Module):
    """A residual block: three convolutions (or two, in ResNet-18 and 34), and a shortcut."""

    def __init__(self, source: Tensors, name: str, stride: int, rules: Detectron2Rules) -> None:
        super().__init__()
        deep = f"{name}.conv3.weight" in source
        first, second = (stride, 1) if rules.stride_in_1x1 or not deep else (1, stride)
        shortcut = f"{name}.shortcut"
        self.shortcut = source.convolution(shortcut, stride=stride) if f"{shortcut}.weight" in source else nn.Identity()
        if deep:
            self.conv1 = source.convolution(f"{name}.conv1", stride=first)
            self.conv2 = source.convolution(f"{name}.conv2", stride=second, padding=1, groups=rules.groups)
            self.conv3: nn.Module = source.convolution(f"{name}.conv3")
        else:
            self.conv1 = source.convolution(f"{name}.conv1", stride=first, padding=1)
            self.conv2 = source.convolution(f"{name}.conv2", padding=1)
            self.conv3 = nn.Identity()
        self._deep = deep

    def forward(self, x: Tensor) -> Tensor:
        """The same at another width and size."""
        out = self.conv2(functional.relu(self.conv1(x)))
        if self._deep:
            out = self.conv3(functional.relu(out))
        return functional.relu(out + self.shortcut(x))


class _Pyramid(nn.Module):
    """ResNet and the pyramid on it: an image to five feature maps, the finest first."""

    def __init__(self, source: Tensors, rules: Detectron2Rules) -> None:
        super().__init__()
        base = "backbone.bottom_up"
        self.stem = source.convolution(f"{base}.stem.conv1", stride=2, padding=3)
        stages, laterals, outputs = [], [], []
        for level in _LEVELS:
            name = f"{base}.res{level}"
            blocks = [
                _Block(
                    source,
                    f"{name}.{number}",
                    stride=2 if number == 0 and level > _LEVELS[0] else 1,
                    rules=rules,
                )
                for number in range(source.count(f"{name}.{{}}.conv1.weight"))
            ]
            stages.append(nn.Sequential(*blocks))
            laterals.append(source.convolution(f"backbone.fpn_lateral{level}"))
            outputs.append(source.convolution(f"backbone.fpn_output{level}", padding=1))
        self.stages, self.laterals, self.outputs = (
            nn.ModuleList(stages),
            nn.ModuleList(laterals),
            nn.ModuleList(outputs),
        )
        self._averages = rules.averages

    def forward(self, image: Tensor) -> list[Tensor]:
        """Feature maps at a quarter of the image and so on; the last is every other cell of the one before."""
        x = functional.max_pool2d(functional.relu(self.stem(image)), 3, 2, 1)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        top: Tensor | None = None
        out: list[Tensor] = []
        for stage_out, lateral, output in zip(found[::-1], self.laterals[::-1], self.outputs[::-1], strict=True):
            here = lateral(stage_out)
            if top is not None:
                here = here + functional.interpolate(top, scale_factor=2.0, mode="nearest")
                here = here / 2 if self._averages else here
            top = here
            out.insert(0, output(here))
        return [*out, functional.max_pool2d(out[-1], 1, 2)]


class _ProposalHead(nn.Module):
    """Feature maps to objectness and shifts of anchors."""

    def __init__(self, source: Tensors) -> None:
        super().__init__()
        name = "proposal_generator.rpn_head"
        count = source.count(f"{name}.conv.conv{{}}.weight")  # several are a list, and one is not
        names = [f"{name}.conv.conv{number}" for number in range(count)] or [f"{name}.conv"]
        self.convolutions = nn.ModuleList([source.convolution(each, padding=1) for each in names])
        self.objectness = source.convolution(f"{name}.objectness_logits")
        self.shifts = source.convolution(f"{name}.anchor_deltas")

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Both for each level."""
        logits, deltas = [], []
        for feature in features:
            x = feature
            for convolution in self.convolutions:
                x = functional.relu(convolution(x))
            logits.append(self.objectness(x))
            deltas.append(self.shifts(x))
        return logits, deltas


class _BoxHead(nn.Module):
    """Pooled boxes to class logits and shifts."""

    def __init__(self, source: Tensors) -> None:
        super().__init__()
        name = "roi_heads.box_head"
        convolutions = [number for number in range(1, 17) if f"{name}.conv{number}.weight" in source]
        layers = [number for number in range(1, 17) if f"{name}.fc{number}.weight" in source]
        self.convolutions = nn.ModuleList([source.convolution(f"{name}.conv{n}", padding=1) for n in convolutions])
        self.layers = nn.ModuleList([source.linear(f"{name}.fc{number}") for number in layers])
        self.classes = source.linear("roi_heads.box_predictor.cls_score")
        self.shifts = source.linear("roi_heads.box_predictor.bbox_pred")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (the last is the background's), and four numbers for each class."""
        for convolution in self.convolutions:
            x = functional.relu(convolution(x))
        x = x.flatten(1)
        for layer in self.layers:
            x = functional.relu(layer(x))
        return self.classes(x), self.shifts(x)


class _MaskHead(nn.Module):
    """Pooled boxes to logits of masks, one for each class."""

    def __init__(self, source: Tensors) -> None:
        super().__init__()
        name = "roi_heads.mask_head"
        numbers = [number for number in range(1, 17) if f"{name}.mask_fcn{number}.weight" in source]
        self.convolutions = nn.ModuleList([source.convolution(f"{name}.mask_fcn{n}", padding=1) for n in numbers])
        self.larger = source.deconvolution(f"{name}.deconv")
        self.predictor = source.convolution(f"{name}.predictor")

    def forward(self, x: Tensor) -> Tensor:
        """Twice the size of what comes in."""
        for convolution in self.convolutions:
            x = functional.relu(convolution(x))
        masks: Tensor = self.predictor(functional.relu(self.larger(x)))
        return masks
