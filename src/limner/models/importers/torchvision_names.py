"""Which of torchvision's networks a table of weights belongs to, told by names and shapes alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from limner.core.errors import BundleError


class Shaped(Protocol):
    """Anything with a shape: a tensor, or the header of one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A network of torchvision."""

    #: As torchvision calls it.
    name: str
    #: Classes, the background included.
    classes: int
    #: What else torchvision wants to know when it makes the network.
    extras: Mapping[str, bool]


#: The networks that Limner serves.
DETECTORS = (
    "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2", "fcos_resnet50_fpn", "ssd300_vgg16",
    "ssdlite320_mobilenet_v3_large",
)  # fmt: skip
LABELLERS = (
    "deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large",
)  # fmt: skip
NAMES = DETECTORS + LABELLERS

_WRAPPINGS = ("module.", "model.", "_orig_mod.")
#: Names that only torchvision's networks have, of these kinds.
_SIGNS = re.compile(
    r"backbone\.body\.|backbone\.fpn\.inner_blocks\.|rpn\.head\.|backbone\.scale_weight$|classifier\.cbr\."
    r"|classifier\.0\.convs\.|head\.(classification|regression)_head\.|roi_heads\.(box|mask|keypoint)_predictor\."
)


def unwrapped(names: Mapping[str, object]) -> dict[str, str]:
    """The names of tensors without what programs put before all of them, and what they were."""
    out = {str(name): str(name) for name in names}
    while out and (start := next((each for each in _WRAPPINGS if all(name.startswith(each) for name in out)), "")):
        out = {name.removeprefix(start): before for name, before in out.items()}
    return out


def is_torchvision(names: Mapping[str, object]) -> bool:
    """Whether a table of weights has names as torchvision gives them."""
    plain = unwrapped(names)
    return any(_SIGNS.match(name) for name in plain) and not any("bottom_up." in name for name in plain)


def recognise(weights: Mapping[str, Shaped]) -> Recognised:
    """The network that some weights belong to; raises `BundleError` where it is one that is not served."""
    rows = {name: each.shape[0] if each.shape else 1 for name, each in weights.items()}
    for read in (_two_stage, _dense, _single_shot, _labeller):
        if (found := read(weights, rows)) is not None:
            return found
    raise _refusal("no network of torchvision that Limner knows")


def _refusal(what: str) -> BundleError:
    return BundleError(f"The weights are those of {what}.", hint=f"Served are {', '.join(NAMES)}.")


def _depth(weights: Mapping[str, Shaped], stage: str) -> int | None:
    """50 or 101 for a ResNet with blocks of three convolutions; None for another network."""
    numbers = {int(found[1]) for name in weights if (found := re.match(re.escape(stage) + r"\.(\d+)\.conv3\.", name))}
    return {6: 50, 23: 101}.get(len(numbers))


def _two_stage(weights: Mapping[str, Shaped], rows: Mapping[str, int]) -> Recognised | None:
    if any(name.startswith("roi_heads.keypoint_") for name in weights):
        raise _refusal("a network with keypoints")
    classes = rows.get("roi_heads.box_predictor.cls_score.weight")
    if classes is None:
        return None
    if _depth(weights, "backbone.body.layer3") != 50:
        raise _refusal("an R-CNN on another backbone than ResNet-50")
    kind = "maskrcnn" if "roi_heads.mask_predictor.mask_fcn_logits.weight" in weights else "fasterrcnn"
    second = "_v2" if "rpn.head.conv.1.0.weight" in weights else ""
    return Recognised(f"{kind}_resnet50_fpn{second}", classes, {})


def _dense(weights: Mapping[str, Shaped], rows: Mapping[str, int]) -> Recognised | None:
    logits = rows.get("head.classification_head.cls_logits.weight")
    if logits is None:
        return None
    if _depth(weights, "backbone.body.layer3") != 50:
        raise _refusal("a detector on another backbone than ResNet-50")
    if "head.regression_head.bbox_ctrness.weight" in weights:
        return Recognised("fcos_resnet50_fpn", logits, {})
    anchors = rows.get("head.regression_head.bbox_reg.weight", 0) // 4
    if anchors != 9:
        raise _refusal(f"a RetinaNet with {anchors} anchors, and torchvision's has 9")
    second = "_v2" if "head.classification_head.conv.0.1.weight" in weights else ""
    return Recognised(f"retinanet_resnet50_fpn{second}", logits // anchors, {})


def _single_shot(weights: Mapping[str, Shaped], rows: Mapping[str, int]) -> Recognised | None:
    base = "head.classification_head.module_list.0"
    if f"{base}.weight" in rows:
        if "backbone.scale_weight" not in weights:
            raise _refusal("an SSD on another backbone than VGG-16")
        return Recognised("ssd300_vgg16", rows[f"{base}.weight"] // 4, {})
    if f"{base}.1.weight" in rows:
        return Recognised("ssdlite320_mobilenet_v3_large", rows[f"{base}.1.weight"] // 6, {})
    return None


def _labeller(weights: Mapping[str, Shaped], rows: Mapping[str, int]) -> Recognised | None:
    if "classifier.low_classifier.weight" in rows:
        return Recognised("lraspp_mobilenet_v3_large", rows["classifier.low_classifier.weight"], {})
    if "classifier.0.convs.0.0.weight" not in rows or "classifier.4.weight" not in rows:
        return None
    depth = _depth(weights, "backbone.layer3")
    if depth is None and "backbone.0.0.weight" not in weights:
        raise _refusal("a DeepLabV3 on a backbone that torchvision does not have")
    backbone = f"resnet{depth}" if depth else "mobilenet_v3_large"
    aux = any(name.startswith("aux_classifier.") for name in weights)
    return Recognised(f"deeplabv3_{backbone}", rows["classifier.4.weight"], {"aux_loss": aux})
