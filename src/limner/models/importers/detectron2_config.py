"""The configuration of a Detectron2 model: its ``config.yaml``, or the name of one of the model zoo.

Only what changes answers is read. What is missing has the value that Detectron2 gives it (its defaults
with ``Base-RCNN-FPN.yaml``); what Limner cannot serve is refused by its name.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from limner.core.errors import BundleError

#: A configuration with every key has 8 kB.
_LONGEST_FILE = 1_000_000
_ZOO = re.compile(
    r"^(?:COCO-(?:Detection|InstanceSegmentation)/)?(faster|mask)_rcnn_([RX])_(50|101)(_32x8d)?_FPN_[13]x$"
)
#: Configurations that others build on, and that say nothing which the defaults here do not.
_BASES = ("Base-RCNN-FPN.yaml",)
#: Keys that must have one value, and what another one means.
_FIXED: dict[str, tuple[object, str]] = {
    "MODEL.META_ARCHITECTURE": ("GeneralizedRCNN", "the architecture"),
    "MODEL.BACKBONE.NAME": ("build_resnet_fpn_backbone", "the backbone"),
    "MODEL.PROPOSAL_GENERATOR.NAME": ("RPN", "the proposal generator"),
    "MODEL.ANCHOR_GENERATOR.NAME": ("DefaultAnchorGenerator", "the anchor generator"),
    "MODEL.RPN.HEAD_NAME": ("StandardRPNHead", "the head of the proposal generator"),
    "MODEL.ROI_HEADS.NAME": ("StandardROIHeads", "the heads (cascades and others are not served)"),
    "MODEL.ROI_BOX_HEAD.NAME": ("FastRCNNConvFCHead", "the box head"),
    "MODEL.ROI_MASK_HEAD.NAME": ("MaskRCNNConvUpsampleHead", "the mask head"),
    "MODEL.KEYPOINT_ON": (False, "keypoints"),
    "MODEL.LOAD_PROPOSALS": (False, "proposals from a file"),
    "MODEL.FPN.IN_FEATURES": (["res2", "res3", "res4", "res5"], "the levels of the pyramid"),
    "MODEL.RPN.IN_FEATURES": (["p2", "p3", "p4", "p5", "p6"], "the levels of the proposals"),
    "MODEL.ROI_HEADS.IN_FEATURES": (["p2", "p3", "p4", "p5"], "the levels of the heads"),
    "MODEL.RESNETS.RES5_DILATION": (1, "dilation in the last stage"),
    "TEST.AUG.ENABLED": (False, "augmentation in tests"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectron2Config:
    """What a configuration says, as far as answers depend on it; lengths in pixels of the network's input."""

    stride_in_1x1: bool = True
    groups: int = 1
    averages: bool = False
    anchor_sizes: tuple[tuple[float, ...], ...] = ((32,), (64,), (128,), (256,), (512,))
    anchor_ratios: tuple[tuple[float, ...], ...] = ((0.5, 1.0, 2.0),) * 5
    anchor_offset: float = 0.0
    proposal_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    proposals_before: int = 1000
    proposals_after: int = 1000
    proposal_iou: float = 0.7
    proposal_side: float = 0.0
    box_weights: tuple[float, ...] = (10.0, 10.0, 5.0, 5.0)
    threshold: float = 0.05
    iou: float = 0.5
    limit: int = 100
    box_side: int = 7
    box_samples: int = 0
    mask_side: int = 14
    mask_samples: int = 0
    aligned: bool = True
    sigmoid: bool = False
    shorter_side: int = 800
    longer_side: int = 1333
    #: Order of the colours: ``bgr`` or ``rgb``.
    channels: str = "bgr"
    mean: tuple[float, ...] = (103.53, 116.28, 123.675)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)


def named_config(name: str) -> Detectron2Config:
    """A configuration of the model zoo, such as ``mask_rcnn_R_101_FPN_3x``; raises `BundleError`."""
    found = _ZOO.match(name.strip().removesuffix(".yaml"))
    if found is None or (found[2] == "X") != bool(found[4]) or (found[2], found[3]) == ("X", "50"):
        raise BundleError(
            f"There is no configuration {name[:100]!r} that Limner could serve.",
            hint="Known are faster_rcnn_ and mask_rcnn_ with R_50_FPN_1x, R_50_FPN_3x, R_101_FPN_3x or "
            "X_101_32x8d_FPN_3x; for any other put its config.yaml beside the weights.",
        )
    if found[2] == "R":
        return Detectron2Config()
    return Detectron2Config(stride_in_1x1=False, groups=32, std=(57.375, 57.12, 58.395))


def read_config(path: Path) -> Detectron2Config:
    """A ``config.yaml``; raises `BundleError` saying what in it is wrong or cannot be served."""
    if path.stat().st_size > _LONGEST_FILE:
        raise BundleError(f"{path.name} is larger than any configuration.")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = str(error).strip().splitlines()[0]
        raise BundleError(f"{path.name} cannot be read: {line}.") from error
    if not isinstance(tree, dict):
        raise BundleError(f"{path.name} is no configuration of Detectron2: it holds no table.")
    return parse_config(tree, path.name)


def parse_config(tree: Mapping[str, Any], name: str = "config.yaml") -> Detectron2Config:
    """The same from what stands in the file."""
    source = _Source(tree, name)
    _check_served(source)
    default = Detectron2Config()
    aligned = {source.text(f"MODEL.ROI_{head}_HEAD.POOLER_TYPE", "ROIAlignV2") for head in ("BOX", "MASK")}
    if aligned not in ({"ROIAlignV2"}, {"ROIAlign"}):
        raise source.refusal("the pooling", f"{' and '.join(sorted(aligned))}")
    return Detectron2Config(
        stride_in_1x1=source.flag("MODEL.RESNETS.STRIDE_IN_1X1", default.stride_in_1x1),
        groups=source.count("MODEL.RESNETS.NUM_GROUPS", default.groups),
        averages=source.text("MODEL.FPN.FUSE_TYPE", "sum") == "avg",
        anchor_sizes=source.levels("MODEL.ANCHOR_GENERATOR.SIZES", default.anchor_sizes),
        anchor_ratios=source.levels("MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS", default.anchor_ratios),
        anchor_offset=source.number("MODEL.ANCHOR_GENERATOR.OFFSET", default.anchor_offset),
        proposal_weights=source.numbers("MODEL.RPN.BBOX_REG_WEIGHTS", default.proposal_weights),
        proposals_before=source.count("MODEL.RPN.PRE_NMS_TOPK_TEST", default.proposals_before),
        proposals_after=source.count("MODEL.RPN.POST_NMS_TOPK_TEST", default.proposals_after),
        proposal_iou=source.number("MODEL.RPN.NMS_THRESH", default.proposal_iou),
        proposal_side=source.number("MODEL.PROPOSAL_GENERATOR.MIN_SIZE", default.proposal_side),
        box_weights=source.numbers("MODEL.ROI_BOX_HEAD.BBOX_REG_WEIGHTS", default.box_weights),
        threshold=source.number("MODEL.ROI_HEADS.SCORE_THRESH_TEST", default.threshold),
        iou=source.number("MODEL.ROI_HEADS.NMS_THRESH_TEST", default.iou),
        limit=source.count("TEST.DETECTIONS_PER_IMAGE", default.limit),
        box_side=source.count("MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION", default.box_side),
        box_samples=source.count("MODEL.ROI_BOX_HEAD.POOLER_SAMPLING_RATIO", default.box_samples, least=0),
        mask_side=source.count("MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION", default.mask_side),
        mask_samples=source.count("MODEL.ROI_MASK_HEAD.POOLER_SAMPLING_RATIO", default.mask_samples, least=0),
        aligned=aligned == {"ROIAlignV2"},
        sigmoid=source.flag("MODEL.ROI_BOX_HEAD.USE_SIGMOID_CE", default.sigmoid),
        shorter_side=source.count("INPUT.MIN_SIZE_TEST", default.shorter_side, least=0),
        longer_side=source.count("INPUT.MAX_SIZE_TEST", default.longer_side),
        channels=source.text("INPUT.FORMAT", "BGR").lower(),
        mean=source.numbers("MODEL.PIXEL_MEAN", default.mean, 3),
        std=source.numbers("MODEL.PIXEL_STD", default.std, 3),
    )


def _check_served(source: _Source) -> None:
    """Raise `BundleError` where the configuration asks for something else than Faster or Mask R-CNN with a pyramid."""
    base = source.get("_BASE_", None)
    if base is not None and (not isinstance(base, str) or Path(base).name not in _BASES):
        raise BundleError(
            f"{source.name} builds on {str(base)[:100]!r}, which is not there.",
            hint="Give the config.yaml that the training has written: it is complete.",
        )
    for key, (wanted, what) in _FIXED.items():
        if (value := source.get(key, wanted)) != wanted:
            raise source.refusal(what, value)
    deformed = source.get("MODEL.RESNETS.DEFORM_ON_PER_STAGE", [False])
    if not isinstance(deformed, list) or any(deformed):
        raise source.refusal("deformable convolutions", deformed)
    if source.text("INPUT.FORMAT", "BGR") not in ("BGR", "RGB"):
        raise source.refusal("the order of colours", source.get("INPUT.FORMAT", None))
    if source.text("MODEL.FPN.FUSE_TYPE", "sum") not in ("sum", "avg"):
        raise source.refusal("the pyramid", source.get("MODEL.FPN.FUSE_TYPE", None))


@dataclass(frozen=True, slots=True)
class _Source:
    """The table in a file, and how values are taken out of it: each raises `BundleError` where one is wrong."""

    tree: Mapping[str, Any]
    #: Name of the file, for messages.
    name: str

    def get(self, key: str, default: object) -> object:
        """A value by its dotted key, or the default."""
        found: Any = self.tree
        for part in key.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return default
            found = found[part]
        if isinstance(found, str) and found[:1] in "([" and len(found) < 1000:
            try:  # the zoo writes tuples as text; only literals are read, nothing is evaluated
                found = ast.literal_eval(found)
            except (ValueError, SyntaxError) as error:
                raise self.wrong(key, found) from error
        return [*found] if isinstance(found, tuple) else found

    def wrong(self, key: str, value: object) -> BundleError:
        """What is raised at a value that makes no sense."""
        return BundleError(f"{self.name}: {key} cannot be {str(value)[:100]!r}.")

    def refusal(self, what: str, value: object) -> BundleError:
        """What is raised at a value that Limner does not serve."""
        return BundleError(
            f"{self.name} asks for something that Limner cannot serve: {what}, {str(value)[:100]}.",
            hint="Served are Faster R-CNN and Mask R-CNN with a feature pyramid on ResNet and ResNeXt.",
        )

    def text(self, key: str, default: str) -> str:
        """A text."""
        value = self.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, value)
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, value)
        return value

    def number(self, key: str, default: float) -> float:
        """A number from 0 to 10,000."""
        value = self.get(key, default)
        if not _is_number(value) or not 0 <= value <= 10_000:
            raise self.wrong(key, value)
        return float(value)

    def count(self, key: str, default: int, least: int = 1) -> int:
        """A whole number up to 16,384."""
        value = self.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 16_384:
            raise self.wrong(key, value)
        return value

    def numbers(self, key: str, default: tuple[float, ...], length: int = 4) -> tuple[float, ...]:
        """So many finite numbers."""
        value = self.get(key, [*default])
        if not isinstance(value, list) or len(value) != length or not all(map(_is_number, value)):
            raise self.wrong(key, value)
        return tuple(map(float, value))

    def levels(self, key: str, default: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        """Numbers for each of five levels; one list stands for all."""
        value = self.get(key, [[*each] for each in default])
        rows = value if isinstance(value, list) else []
        if not all(
            isinstance(row, list) and 0 < len(row) < 100 and all(_is_number(x) and x > 0 for x in row) for row in rows
        ):
            raise self.wrong(key, value)
        if len(rows) not in (1, len(default)):
            raise self.wrong(key, value)
        return tuple(tuple(map(float, row)) for row in (rows * len(default) if len(rows) == 1 else rows))


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
