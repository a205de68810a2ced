"""Detectron2: Faster and Mask R-CNN with a feature pyramid, from ``model_final.pth`` and ``config.yaml``.

Detectron2 need not be installed. The configuration lies beside the weights, in the same folder or zip
file, or is one of the model zoo that is named. Weights may also be the zoo's ``.pkl``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.core.errors import BundleError, CheckpointError
from limner.models.bundle import Bundle, make_bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.checkpoints import is_checkpoint, peek_checkpoint, read_checkpoint, state_dict
from limner.models.importers.detectors import chosen_labels, coco_labels, export_detector
from limner.models.importers.detectron2_config import Detectron2Config, named_config, read_config
from limner.models.importers.extras import need_train
from limner.models.importers.folders import as_folder, zipped_names
from limner.models.importers.protocol import Wishes, name_from
from limner.models.tasks.specs import Input

if TYPE_CHECKING:
    from torch import Tensor

    from limner.models.architectures.detectron2 import Detectron2Rules

_WEIGHTS = (".pth", ".pkl", ".pt")
_CONFIGS = (".yaml", ".yml")
_PARTS = ("backbone.bottom_up.", "backbone.stem.", "proposal_generator.", "roi_heads.res5.")
#: Parts that say what a network does which is not served.
_REFUSED = {
    "roi_heads.keypoint_head.": "keypoints",
    "roi_heads.box_head.0.": "a cascade of heads",
    "roi_heads.res5.": "heads without a feature pyramid (C4)",
    "sem_seg_head.": "panoptic segmentation",
    "head.cls_subnet.": "RetinaNet",
}


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of one model."""

    weights: Path
    #: None where there is none.
    config: Path | None


class Detectron2:
    """The importer called ``detectron2``."""

    name = "detectron2"
    title = "Detectron2 checkpoints of Faster and Mask R-CNN (model_final.pth and config.yaml)"

    def accepts(self, path: Path) -> bool:
        """A checkpoint whose tensors have Detectron2's names, or a folder or zip file with one and a configuration."""
        names = _names(path)
        if any(name.endswith(_CONFIGS) for name in names) and any(name.endswith(_WEIGHTS) for name in names):
            return True
        return is_checkpoint(path) and _is_ours(path)

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Rebuild the network, write it as ONNX and describe it; raises `BundleError`."""
        need_train("Converting a Detectron2 model")
        with _found(path) as files:
            config = _config(files, wishes)
            tensors = _tensors(files.weights)
        return _write(tensors, config, folder, path, wishes)


#: The importer, for the registry.
DETECTRON2 = Detectron2()


def _names(path: Path) -> list[str]:
    """Names of the files in a folder or zip file."""
    return [each.name for each in path.iterdir()] if path.is_dir() else zipped_names(path)


def _is_ours(path: Path) -> bool:
    try:
        table = _table(peek_checkpoint(path).value)
    except CheckpointError:
        return False
    return any(str(name).startswith(_PARTS) for name in table)


def _table(value: object) -> Mapping[Any, Any]:
    """The tensors by name: a checkpoint has more around them."""
    if not isinstance(value, Mapping):
        return {}
    model = value.get("model", value.get("state_dict", value))
    return model if isinstance(model, Mapping) else {}


@contextmanager
def _found(path: Path) -> Iterator[_Files]:
    """The files of the model that a path means; raises `BundleError`."""
    if path.is_file() and (is_checkpoint(path) and not _holds_weights(path)):
        beside = [path.with_name("config.yaml"), path.with_suffix(".yaml")]
        yield _Files(path, next((each for each in beside if each.is_file()), None))
        return
    with as_folder(path, _WEIGHTS + _CONFIGS) as folder:
        files = sorted(each for each in folder.iterdir() if each.is_file() and not each.is_symlink())
        weights = [each for each in files if each.suffix in _WEIGHTS]
        final = [each for each in weights if each.stem == "model_final"] or weights
        configs = [each for each in files if each.suffix in _CONFIGS]
        config = [each for each in configs if each.stem == "config"] or configs
        if len(final) != 1 or len(config) > 1:
            raise BundleError(
                f"{path.name} holds {len(weights)} files of weights and {len(configs)} configurations.",
                hint="There should be one of each: model_final.pth and config.yaml.",
            )
        yield _Files(final[0], config[0] if config else None)


def _holds_weights(path: Path) -> bool:
    """Whether a zip file has files of weights in it: a torch archive has ``data.pkl`` instead."""
    names = zipped_names(path)
    return "data.pkl" not in names and any(name.endswith(_WEIGHTS) for name in names)


def _config(files: _Files, wishes: Wishes) -> Detectron2Config:
    """The configuration that is wished for, or the one that was found; raises `BundleError`."""
    if isinstance(wishes.config, Path):
        return read_config(wishes.config)
    if wishes.config is not None:
        return named_config(wishes.config)
    if files.config is None:
        raise BundleError(
            f"There is no config.yaml beside {files.weights.name}, and without it nobody knows how the network is fed.",
            hint="Put it there, or into one zip file with the weights, or name one of the model zoo: "
            "--config mask_rcnn_R_50_FPN_3x.",
        )
    return read_config(files.config)


def _tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint; raises `BundleError` where they are of a network that is not served."""
    table = _table(read_checkpoint(path))
    for start, what in _REFUSED.items():
        if any(str(name).startswith(start) for name in table):
            raise BundleError(
                f"{path.name} is a network with {what}, which Limner cannot serve.",
                hint="Served are Faster R-CNN and Mask R-CNN with a feature pyramid on ResNet and ResNeXt.",
            )
    if not any(str(name).startswith(_PARTS) for name in table):
        raise BundleError(f"{path.name} has no tensors of a Detectron2 detector.")
    return state_dict(table)


def _write(tensors: Mapping[str, Tensor], config: Detectron2Config, folder: Path, path: Path, wishes: Wishes) -> Bundle:
    """The bundle of some tensors and their configuration."""
    from limner.models.architectures.detectron2 import build, count_classes

    network = build(tensors, _rules(config))
    labels = chosen_labels(wishes.labels, count_classes(tensors), coco_labels())
    masks = network.mask_head is not None
    roles = ("boxes", "scores", "labels", "masks")[: 3 + masks]
    spec = _input(config)
    weights = folder / "model.onnx"
    difference = export_detector(network, spec, roles, weights)
    fields = {
        "name": wishes.name or name_from(path),
        "version": wishes.version or "1",
        "task": "segment" if masks else "detect",
        "labels": labels,
        "input": spec,
        "decoder": {"name": "boxes", "outputs": roles},
        "thresholds": {"score": config.threshold, "iou": config.iou, "max_detections": config.limit},
        "figures": {"conversion difference": difference},
        "provenance": {"source": path.name, "converter": f"limner {DETECTRON2.name}"},
    }
    return write_bundle(make_bundle(fields), folder)


def _input(config: Detectron2Config) -> Input:
    """How an image is fed: scaled by its shorter side as Pillow does it; the network pads it itself."""
    resize: dict[str, Any] = {"rule": "shortest", "side": config.shorter_side, "longest": config.longer_side}
    return Input.model_validate(
        {
            "name": "image",
            "channels": config.channels,
            "resize": resize if config.shorter_side else {"rule": "keep"},
            "filter": "pillow-bilinear",
            "normalisation": {"kind": "fixed", "scale": 1.0, "mean": config.mean, "std": config.std},
            "pad": None,
            "stride": 1,
            "dynamic": True,
        }
    )


def _rules(config: Detectron2Config) -> Detectron2Rules:
    """What the network has to know of its configuration."""
    from limner.models.architectures.detectron2 import Detectron2Rules
    from limner.models.architectures.two_stage import ProposalRules, RoiRules

    proposals = ProposalRules(
        strides=(4, 8, 16, 32, 64),
        offset=config.anchor_offset,
        weights=config.proposal_weights,
        before=config.proposals_before,
        after=config.proposals_after,
        iou=config.proposal_iou,
        least_side=config.proposal_side,
    )
    rois = RoiRules(
        weights=config.box_weights,
        threshold=config.threshold,
        iou=config.iou,
        limit=config.limit,
        least_side=0.0,
        background=-1,
        box_side=config.box_side,
        mask_side=config.mask_side,
        box_samples=config.box_samples,
        mask_samples=config.mask_samples,
        aligned=config.aligned,
        level_epsilons=(1e-8, 0.0),
        sigmoid=config.sigmoid,
    )
    return Detectron2Rules(
        stride_in_1x1=config.stride_in_1x1,
        groups=config.groups,
        averages=config.averages,
        anchor_sizes=config.anchor_sizes,
        anchor_ratios=config.anchor_ratios,
        proposals=proposals,
        rois=rois,
    )
