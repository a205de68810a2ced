"""Weights in Detectron2's layout, drawn at random: as narrow as a test wants them, or as wide as the real ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """What makes a network larger or smaller."""

    #: Blocks of the four stages; 3, 4, 6, 3 is ResNet-50.
    blocks: tuple[int, ...] = (1, 1, 1, 1)
    stem: int = 8
    #: Channels of the first stage, and of the 3 × 3 convolutions in it.
    res2: int = 16
    inner: int = 8
    groups: int = 1
    pyramid: int = 16
    hidden: int = 32
    mask: int = 16
    classes: int = 3
    masks: bool = True


#: Mask R-CNN R50-FPN as the zoo has it: 44 million numbers.
FULL = Layout((3, 4, 6, 3), 64, 256, 64, 1, 256, 1024, 256, 80)


def drawn_weights(layout: Layout = Layout(), seed: int = 0) -> dict[str, Tensor]:
    """The table of weights, with statistics that keep activations in bounds."""
    torch.manual_seed(seed)
    out: dict[str, Tensor] = {}
    bottom = "backbone.bottom_up"
    _convolution(out, f"{bottom}.stem.conv1", 3, layout.stem, 7, norm=True, gain=0.02)
    before = layout.stem
    for stage, count in enumerate(layout.blocks):
        width, inner = layout.res2 << stage, layout.inner << stage
        for block in range(count):
            name = f"{bottom}.res{stage + 2}.{block}"
            if block == 0:
                _convolution(out, f"{name}.shortcut", before, width, 1, norm=True)
            _convolution(out, f"{name}.conv1", before, inner, 1, norm=True)
            _convolution(out, f"{name}.conv2", inner, inner, 3, norm=True, groups=layout.groups)
            _convolution(out, f"{name}.conv3", inner, width, 1, norm=True, gain=0.3)
            before = width
        _convolution(out, f"backbone.fpn_lateral{stage + 2}", before, layout.pyramid, 1)
        _convolution(out, f"backbone.fpn_output{stage + 2}", layout.pyramid, layout.pyramid, 3)
    head = "proposal_generator.rpn_head"
    _convolution(out, f"{head}.conv", layout.pyramid, layout.pyramid, 3)
    _convolution(out, f"{head}.objectness_logits", layout.pyramid, 3, 1)
    _convolution(out, f"{head}.anchor_deltas", layout.pyramid, 12, 1, gain=0.1)
    _linear(out, "roi_heads.box_head.fc1", layout.pyramid * 49, layout.hidden)
    _linear(out, "roi_heads.box_head.fc2", layout.hidden, layout.hidden)
    _linear(out, "roi_heads.box_predictor.cls_score", layout.hidden, layout.classes + 1, gain=2)
    _linear(out, "roi_heads.box_predictor.bbox_pred", layout.hidden, layout.classes * 4)
    if layout.masks:
        _mask_head(out, layout)
    return out


def _mask_head(out: dict[str, Tensor], layout: Layout) -> None:
    name = "roi_heads.mask_head"
    for number in range(4):
        width = layout.pyramid if number == 0 else layout.mask
        _convolution(out, f"{name}.mask_fcn{number + 1}", width, layout.mask, 3)
    out[f"{name}.deconv.weight"] = torch.randn(layout.mask, layout.mask, 2, 2) * layout.mask**-0.5
    out[f"{name}.deconv.bias"] = torch.zeros(layout.mask)
    _convolution(out, f"{name}.predictor", layout.mask, layout.classes, 1, gain=3)


def _convolution(
    out: dict[str, Tensor],
    name: str,
    inside: int,
    outside: int,
    kernel: int,
    *,
    norm: bool = False,
    groups: int = 1,
    gain: float = 1,
) -> None:
    fan = inside // groups * kernel * kernel
    out[f"{name}.weight"] = torch.randn(outside, inside // groups, kernel, kernel) * gain * (2 / fan) ** 0.5
    if not norm:
        out[f"{name}.bias"] = torch.randn(outside) * 0.1
        return
    out[f"{name}.norm.weight"] = torch.rand(outside) + 0.5
    out[f"{name}.norm.bias"] = torch.randn(outside) * 0.1
    out[f"{name}.norm.running_mean"] = torch.randn(outside) * 0.1
    out[f"{name}.norm.running_var"] = torch.rand(outside) + 0.5


def _linear(out: dict[str, Tensor], name: str, inside: int, outside: int, gain: float = 1) -> None:
    out[f"{name}.weight"] = torch.randn(outside, inside) * gain * inside**-0.5
    out[f"{name}.bias"] = torch.randn(outside) * 0.1
