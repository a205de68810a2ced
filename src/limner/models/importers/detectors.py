"""What importers of detectors have in common: a network with its rules becomes a bundle whose answers were compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import BundleError
from limner.models.importers.exporting import Arrays, Conversion, export_checked, sample_pixels
from limner.models.tasks.letterbox import Buffers, plan_input, prepare
from limner.models.tasks.nms import box_iou
from limner.models.tasks.specs import Input, Keep, Stretch

if TYPE_CHECKING:
    import torch

#: Sizes of the drawn pages that network and file are compared on; small, for they run three times.
_SAMPLES = ((352, 288), (224, 320))
#: Detections that agree have so much in common, or edges so near (thin boxes have little in common soon), pixels …
_SAME_BOX = 0.99
_SAME_EDGE = 0.25
#: … and scores so near; those that lie nearer to the least score may be there or not.
_SAME_SCORE = 0.002
_BORDERLINE = 0.004


def export_detector(
    network: torch.nn.Module,
    spec: Input,
    roles: Sequence[str],
    path: Path,
    *,
    widths: Sequence[tuple[int, int]] = _SAMPLES,
) -> float:
    """Write a network that gives boxes, scores, labels and perhaps masks as ONNX; raises `BundleError`.

    Gives the share of detections that only network or file has.
    """
    try:
        return export_checked(detector_conversion(network, spec, roles, widths=widths), path)
    except (RuntimeError, ValueError, IndexError) as error:  # what torch raises where widths do not fit
        line = str(error).strip().splitlines()[0]
        raise BundleError(f"The tensors of the checkpoint do not fit together: {line}") from error


def detector_conversion(
    network: torch.nn.Module, spec: Input, roles: Sequence[str], *, widths: Sequence[tuple[int, int]] = _SAMPLES
) -> Conversion:
    """How a network that gives boxes, scores, labels and perhaps masks becomes ONNX."""
    return Conversion(
        module=network,
        # Where the network takes one size alone, all pages come at that.
        examples=tuple((drawn_input(spec, *size),) for size in widths[: None if spec.dynamic else 1]),
        inputs=(spec.name,),
        outputs=tuple(roles),
        dynamic=_dynamic(spec) | {role: {0: "detections"} for role in roles},
        difference=detections_differ,
        tolerance=0.02,
    )


def export_labeller(network: torch.nn.Module, spec: Input, path: Path) -> float:
    """Write a network that gives the class of each pixel and its probability as ONNX; raises `BundleError`.

    Gives by how much the answers of network and file differ.
    """
    return export_checked(labeller_conversion(network, spec), path)


def labeller_conversion(
    network: torch.nn.Module, spec: Input, *, widths: Sequence[tuple[int, int]] = _SAMPLES
) -> Conversion:
    """How a network that gives the class of each pixel and its probability becomes ONNX."""
    axes = {1: "height", 2: "width"}
    return Conversion(
        module=network,
        examples=tuple((drawn_input(spec, *size),) for size in widths),
        inputs=(spec.name,),
        outputs=("classes", "scores"),
        dynamic=_dynamic(spec) | {"classes": axes, "scores": axes},
        difference=classes_differ,
        tolerance=0.005,
    )


def classes_differ(expected: Arrays, actual: Arrays) -> float:
    """The share of pixels with another class, and the mean difference of their probabilities."""
    if [each.shape for each in expected] != [each.shape for each in actual]:
        return float("inf")
    return float((expected[0] != actual[0]).mean() + np.abs(expected[1] - actual[1]).mean())


def _dynamic(spec: Input) -> dict[str, dict[int, str]]:
    """The axes of the input that vary."""
    return {spec.name: {2: "height", 3: "width"}} if spec.dynamic else {}


def drawn_input(spec: Input, width: int, height: int) -> torch.Tensor:
    """A drawn page as the network gets it, not scaled where it takes any size."""
    import torch

    unscaled = spec if isinstance(spec.resize, Stretch) else spec.model_copy(update={"resize": Keep()})
    plan = plan_input(unscaled, (width, height))
    return torch.from_numpy(prepare(sample_pixels(width, height), unscaled, plan, Buffers()).copy())


def detections_differ(expected: Arrays, actual: Arrays) -> float:
    """The share of detections that only one of two networks has; one that is at odds is forgiven.

    Each gives boxes, scores, labels and perhaps masks, in any order.
    """
    if not (len(expected) == len(actual) >= 3):
        return float("inf")
    return max(_missing(expected, actual), _missing(actual, expected))


def _missing(expected: Arrays, actual: Arrays) -> float:
    """The share of the detections of one, without those at the borderline, that the other does not have."""
    boxes, scores, labels = expected[:3]
    clear = np.flatnonzero(scores > scores.min(initial=1.0) + _BORDERLINE)
    if not len(clear):
        return 0.0
    same = box_iou(boxes[clear], actual[0]) >= _SAME_BOX
    same |= np.abs(boxes[clear, None] - actual[0][None]).max(axis=2, initial=0) <= _SAME_EDGE
    same &= labels[clear, None] == actual[2][None]
    same &= np.abs(scores[clear, None] - actual[1][None]) <= _SAME_SCORE
    if len(expected) > 3 and same.any():
        same &= _masks_agree(expected[3][clear], actual[3])
    alone = int((~same.any(axis=1)).sum())
    return max(0, alone - 1) / len(clear)


def _masks_agree(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether each mask of one is nearly that of the other: n × m."""
    if first.shape[1:] != second.shape[1:]:
        return np.zeros((len(first), len(second)), bool)
    one, other = first.reshape(len(first), -1), second.reshape(len(second), -1)
    out = [np.abs(row - other).mean(axis=1) < 0.01 for row in one]
    return np.asarray(out)


def chosen_labels(wished: tuple[str, ...] | None, count: int, known: Sequence[str] | None) -> tuple[str, ...]:
    """The labels that are wished for, or those that are known; raises `BundleError` where there are none or too few."""
    if wished is None and known is not None and len(known) == count:
        return tuple(known)
    if wished is None:
        raise BundleError(
            f"The network has {count} labels, and its file does not name them.", hint="Give them, in order."
        )
    if len(wished) != count:
        raise BundleError(
            f"The network has {count} labels, and {len(wished)} were given.", hint=f"Give {count}, in order."
        )
    return wished


def coco_labels() -> tuple[str, ...]:
    """The 80 labels of COCO, in the order in which programs number them."""
    from torchvision.models._meta import _COCO_CATEGORIES

    return tuple(name for name in _COCO_CATEGORIES if name not in ("__background__", "N/A"))
