"""torchvision's detectors and networks for pixel classes, from a table of weights or by their name.

``torchvision/maskrcnn_resnet50_fpn`` means the weights that torchvision offers for it. They are taken
from torch's folder of downloads, or fetched there by torch's own downloader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.core.errors import BundleError, CheckpointError, ModelError
from limner.models.bundle import Bundle, make_bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.checkpoints import is_checkpoint, peek_checkpoint, read_checkpoint, state_dict
from limner.models.importers.detectors import chosen_labels, export_detector, export_labeller
from limner.models.importers.extras import need_train
from limner.models.importers.protocol import Wishes, name_from
from limner.models.importers.torchvision_names import (
    LABELLERS,
    NAMES,
    Recognised,
    is_torchvision,
    recognise,
    unwrapped,
)
from limner.models.tasks.specs import Input

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Shorter side that torchvision scales images to for pixel classes; it has no limit for the longer one,
#: and a page that is longer than this would only cost time.
_LABELLER_SIDE = 520
_LABELLER_LONGEST = 4 * _LABELLER_SIDE
#: What networks for pixel classes subtract and divide by.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: These have been trained with normalisations that add nothing to the variance.
_EXACT = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn")


@dataclass(frozen=True, slots=True)
class _Source:
    """Weights, and what is known of them."""

    tensors: dict[str, Tensor]
    #: Name for the model.
    name: str
    #: What people know them by.
    origin: str
    #: Names of classes, the background first; None where nobody says.
    categories: tuple[str, ...] | None = None
    licence: str = ""
    #: What is added to variances.
    epsilon: float | None = None


class TorchvisionImporter:
    """The importer called ``torchvision``."""

    name = "torchvision"
    title = "weights of torchvision's detectors and segmenters, or torchvision/NAME"

    def accepts(self, path: Path) -> bool:
        """A checkpoint whose tensors have torchvision's names."""
        if not is_checkpoint(path):
            return False
        try:
            return is_torchvision(_table(peek_checkpoint(path).value))
        except CheckpointError:
            return False

    def accepts_name(self, name: str) -> bool:
        """What looks like the name of one of torchvision's networks; `convert` knows which there are."""
        return re.fullmatch(r"\w{1,100}", name) is not None

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Rebuild the network, write it as ONNX and describe it; raises `BundleError` or `ModelError`."""
        need_train("Converting a network of torchvision")
        source = _offered(path.name) if not path.exists() else _Source(_tensors(path), name_from(path), path.name)
        known = recognise(source.tensors)
        network = _network(known, source)
        write = _write_labeller if known.name in LABELLERS else _write_detector
        return write(network, known, source, folder, wishes)


#: The importer, for the registry.
TORCHVISION = TorchvisionImporter()


def _table(value: object) -> Mapping[Any, Any]:
    """The tensors by name: programs put more around them."""
    if not isinstance(value, Mapping):
        return {}
    for key in ("model", "state_dict", "model_state_dict"):
        if isinstance(value.get(key), Mapping):
            return value[key]  # type: ignore[no-any-return]  # a mapping, as was just seen
    return value


def _tensors(path: Path) -> dict[str, Tensor]:
    """The weights in a checkpoint, under the names that torchvision gives them."""
    found = state_dict(_table(read_checkpoint(path)))
    return {name: found[before] for name, before in unwrapped(found).items()}


def _offered(name: str) -> _Source:
    """The weights that torchvision offers for a network; raises `ModelError` where they cannot be had."""
    import torch
    from torchvision.models import get_model_weights

    if name not in NAMES:
        raise ModelError(f"torchvision/{name} is not known here.", hint=f"Known are {', '.join(NAMES)}.")
    weights: Any = get_model_weights(name).DEFAULT
    file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
    if not file.exists():
        _download(weights.url, file)
    exact = name in _EXACT and weights.name == "COCO_V1"
    return _Source(
        _tensors(file), name.replace("_", "-"), f"torchvision/{name}", tuple(weights.meta["categories"]),
        "BSD-3-Clause", 0.0 if exact else None,
    )  # fmt: skip


def offered_tensors(name: str) -> dict[str, Tensor]:
    """The weights that torchvision offers for a network, by name; raises `ModelError` where they cannot be had."""
    return _offered(name).tensors


def _download(url: str, file: Path) -> None:
    """Fetch a file into torch's folder of downloads; its hash stands in its name. Raises `ModelError`."""
    import torch

    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(file), file.stem.rpartition("-")[2], progress=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"The weights {file.name} of torchvision cannot be downloaded: {error}.",
            hint=f"Where there is a network, save {file.name} there and put it into {file.parent}, or add that file.",
        ) from error


def _network(known: Recognised, source: _Source) -> nn.Module:
    """torchvision's network with the weights in it; raises `CheckpointError` where they do not fit."""
    from torch.nn import BatchNorm2d
    from torchvision.models import get_model

    if known.classes < 2:
        raise BundleError(f"The network has {known.classes} classes, and one of them would be the background.")
    network: nn.Module = get_model(
        known.name, weights=None, weights_backbone=None, num_classes=known.classes, **known.extras
    )
    try:
        network.load_state_dict(source.tensors)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise CheckpointError(f"The weights do not fit {known.name}: {' '.join(lines[1:3])[:400]}") from error
    for part in network.modules():
        if isinstance(part, BatchNorm2d) and source.epsilon is not None:
            part.eps = source.epsilon
    return network.eval()


def _write_detector(network: Any, known: Recognised, source: _Source, folder: Path, wishes: Wishes) -> Bundle:  # noqa: ANN401
    """The bundle of a network for boxes and perhaps masks."""
    from limner.models.architectures.torchvision_networks import detector

    labels, first = _labels(known, source, wishes)
    masks = known.name.startswith("maskrcnn_")
    roles = ("boxes", "scores", "labels", "masks")[: 3 + masks]
    spec = detector_input(network.transform)
    difference = export_detector(detector(network), spec, roles, folder / "model.onnx")
    rules = getattr(network, "roi_heads", network)
    fields = {
        "task": "segment" if masks else "detect",
        "labels": labels,
        "input": spec,
        "decoder": {"name": "boxes", "outputs": roles, "first_label": first},
        "thresholds": {
            "score": rules.score_thresh,
            "iou": rules.nms_thresh,
            "max_detections": rules.detections_per_img,
        },
        "figures": {"conversion difference": difference},
    }
    return _write(fields, source, folder, wishes)


def _write_labeller(network: nn.Module, known: Recognised, source: _Source, folder: Path, wishes: Wishes) -> Bundle:
    """The bundle of a network for pixel classes."""
    from limner.models.architectures.torchvision_networks import PixelLabeller

    labels, _ = _labels(known, source, wishes)
    resize = {"rule": "shortest", "side": _LABELLER_SIDE, "longest": _LABELLER_LONGEST, "rounding": "floor"}
    spec = _input(resize, _MEAN, _STD, "pillow-bilinear")
    difference = export_labeller(PixelLabeller(network), spec, folder / "model.onnx")
    fields = {
        "task": "segment",
        "labels": labels,
        "input": spec,
        "decoder": {"name": "classes", "background": 0},
        "thresholds": {"score": 0.0},
        "figures": {"conversion difference": difference},
    }
    return _write(fields, source, folder, wishes)


def _write(fields: dict[str, Any], source: _Source, folder: Path, wishes: Wishes) -> Bundle:
    """The bundle with what all have in common."""
    common = {
        "name": wishes.name or source.name,
        "version": wishes.version or "1",
        "licence": source.licence,
        "provenance": {"source": source.origin, "converter": f"limner {TORCHVISION.name}"},
    }
    return write_bundle(make_bundle(common | fields), folder)


def _labels(known: Recognised, source: _Source, wishes: Wishes) -> tuple[tuple[str, ...], int]:
    """The labels, and the number of the first as the network gives it."""
    dense = known.name.startswith(("retinanet_", "fcos_"))  # these number the background too
    if dense and wishes.labels is not None and len(wishes.labels) == known.classes:
        return wishes.labels, 0
    categories = source.categories or _categories(known)
    names = (
        None
        if categories is None
        else tuple(f"unused {number}" if name == "N/A" else name for number, name in enumerate(categories) if number)
    )
    return chosen_labels(wishes.labels, known.classes - 1, names), int(dense)


def _categories(known: Recognised) -> tuple[str, ...] | None:
    """The classes of the data that networks of so many are usually trained on."""
    from torchvision.models import _meta

    names: dict[int, Any] = {91: _meta._COCO_CATEGORIES, 21: _meta._VOC_CATEGORIES}  # noqa: SLF001  # no other name
    if known.classes != (21 if known.name in LABELLERS else 91):
        return None
    return tuple(names[known.classes])


def detector_input(transform: Any) -> Input:  # noqa: ANN401  # torchvision has no types
    """How an image is fed, by the transform that a detector of torchvision has inside."""
    if transform.fixed_size is not None:
        width, height = transform.fixed_size
        resize: dict[str, Any] = {"rule": "stretch", "width": width, "height": height}
    else:
        side, longest = transform.min_size[-1], transform.max_size
        resize = {"rule": "shortest", "side": side, "longest": longest, "rounding": "torchvision"}
    return _input(resize, tuple(transform.image_mean), tuple(transform.image_std), "linear-exact")


def _input(resize: dict[str, Any], mean: tuple[float, ...], std: tuple[float, ...], how: str) -> Input:
    """An input that the network itself pads."""
    return Input.model_validate(
        {
            "name": "image",
            "resize": resize,
            "filter": how,
            "normalisation": {"kind": "fixed", "mean": mean, "std": std},
            "pad": None,
            "stride": 1,
            "dynamic": resize["rule"] != "stretch",
        }
    )
