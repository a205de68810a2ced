"""Checkpoints of docExtractor: ``model.pkl`` with a ResUNet that gives every pixel a class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.core.errors import BundleError, CheckpointError
from limner.models.bundle import Bundle, make_bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.checkpoints import is_checkpoint, peek_checkpoint, read_checkpoint, state_dict
from limner.models.importers.extras import need_train
from limner.models.importers.protocol import Wishes, name_from

if TYPE_CHECKING:
    import torch

    from limner.models.architectures.res_unet import ResUNet

_KEYS = {"model_name", "model_state", "n_classes", "train_resolution"}
#: Classes of docExtractor by the numbers that its training data has.
_LABELS = {
    1: "illustration", 2: "background", 3: "title", 4: "text", 5: "baseline", 6: "text border", 7: "floating word",
    8: "caption", 9: "table word", 10: "drawing", 11: "glyph",
}  # fmt: skip
#: Least areas of what it keeps, as fractions of the page.
_AREAS = {"illustration": 0.005, "text": 0.0001}
#: Arguments of its network, and what they are when they are not there; nothing else is rebuilt.
_PLAIN_ARGUMENTS: dict[str, object] = {
    "use_dhsegment": False,
    "use_deconv": False,
    "replace_with_dilation": None,
    "strides": 2,
}


class DocExtractor:
    """The importer called ``docextractor``."""

    name = "docextractor"
    title = "checkpoints (model.pkl) of docExtractor"

    def accepts(self, path: Path) -> bool:
        """A checkpoint with the keys that docExtractor writes."""
        if not is_checkpoint(path):
            return False
        try:
            found = peek_checkpoint(path).value
        except BundleError:
            return False
        return isinstance(found, Mapping) and set(found) >= _KEYS

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Rebuild the network, write it as ONNX and describe it; raises `BundleError`."""
        need_train("Converting a checkpoint of docExtractor")
        found = read_checkpoint(path)
        if not isinstance(found, Mapping) or not set(found) >= _KEYS:
            raise CheckpointError(f"{path.name} is no checkpoint of docExtractor.")
        labels = _labels(found, wishes.labels)
        fields: dict[str, Any] = {
            "name": wishes.name or name_from(path),
            "version": wishes.version or "1",
            "task": "segment",
            "labels": labels,
            "input": _input(found),
            "decoder": {
                "name": "classes",
                "background": 0,
                "shape": "polygon",
                "minimum_area": 0.0001,
                "minimum_areas": {label: _AREAS[label] for label in labels if label in _AREAS},
            },
            # Contours are kept by their area alone.
            "thresholds": {"score": 0.0, "max_detections": 10_000},
            "provenance": {"source": path.name, "converter": f"limner {self.name}"},
        }
        bundle = make_bundle(fields)
        difference = _export(rebuilt(found), folder / "model.onnx")
        return write_bundle(bundle.changed(figures={"conversion difference": difference}), folder)


#: The importer, for the registry.
DOCEXTRACTOR = DocExtractor()


def rebuilt(found: Mapping[Any, Any]) -> ResUNet:
    """The network of a checkpoint, with its weights; raises `CheckpointError`."""
    from limner.models.architectures.res_unet import ENCODERS, ResUNet
    from limner.models.importers.exporting import load_strictly

    name, given = found["model_name"], found.get("model_kwargs") or {}
    if name not in ENCODERS or not isinstance(given, Mapping):
        raise CheckpointError(f"The network {str(name)[:80]} is not known.", hint=f"Known: {', '.join(ENCODERS)}.")
    _check_arguments(given)
    weights = _plain_names(state_dict(found["model_state"]))
    module = ResUNet(
        name,
        _classes(found),
        step=_step(weights),
        reduced=any("_red." in each for each in weights),
        joined_first="layer4_up.conv.weight" in weights,
        keep_width=bool(given.get("same_up_channels", False)),
        kernel=1 if given.get("use_conv1x1", False) else 3,
    )
    load_strictly(module, {key: each.float() for key, each in weights.items()}, f"docExtractor's {name}")
    return module.eval()


def _check_arguments(given: Mapping[Any, Any]) -> None:
    """Raise `CheckpointError` where the network is of a kind that is not rebuilt."""
    norm = given.get("norm_layer") or {}
    if not isinstance(norm, Mapping) or norm.get("name", "batch_norm") != "batch_norm":
        raise CheckpointError("The network normalises otherwise than by batch_norm, which is not known.")
    if norm.get("track_running_stats", True) is not True or norm.get("affine", True) is not True:
        raise CheckpointError("The network normalises by the statistics of each batch, which is not known.")
    for key, plain in _PLAIN_ARGUMENTS.items():
        if given.get(key, plain) not in (plain, None, False):
            raise CheckpointError(f"The network was made with {key}={given[key]!r}, which is not known.")


def _step(weights: Mapping[str, torch.Tensor]) -> Any:  # noqa: ANN401  # a literal of the architecture
    """How the encoder goes to its second level: releases differ in the default, the weights tell."""
    if "layer1.0.weight" in weights:
        return "convolution"
    return "none" if "layer1.0.conv1.weight" in weights else "pool"


def _plain_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the prefix that training on several machines leaves."""
    return {key.removeprefix("module."): each for key, each in weights.items()}


def _classes(found: Mapping[Any, Any]) -> int:
    count = found["n_classes"]
    if not isinstance(count, int) or not 2 <= count <= 255:
        raise CheckpointError("The checkpoint does not say how many classes it has.")
    return count


def _labels(found: Mapping[Any, Any], wished: tuple[str, ...] | None) -> list[str]:
    """Labels of the classes after the background; raises `BundleError`."""
    count = _classes(found) - 1
    numbers = found.get("restricted_labels")
    if wished is not None:
        labels = [*wished]
    elif isinstance(numbers, list | tuple) and all(isinstance(each, int) for each in numbers):
        # The program sorts them: class 1 is the lowest.
        labels = [_LABELS.get(each, f"class {each}") for each in sorted(numbers)]
    else:
        labels = [f"class {each}" for each in range(1, count + 1)]
    if len(labels) != count:
        raise BundleError(f"The network has {count} labels, and {len(labels)} were given.")
    return labels


def _input(found: Mapping[Any, Any]) -> dict[str, Any]:
    """How images become the input: so many pixels in all, or inside a rectangle, each with its own mean."""
    size = found["train_resolution"]
    match size:
        case int() | float() if size >= 1:
            resize: dict[str, Any] = {"rule": "total", "pixels": round(size)}
        case [int(width), int(height)]:
            resize = {"rule": "letterbox", "width": width, "height": height, "anchor": "corner"}
        case _:
            raise CheckpointError(f"The checkpoint has a training resolution of {str(size)[:80]}.")
    normalise = (
        {"kind": "image", "epsilon": 1e-7, "sums": "float32"} if found.get("normalize", True) else {"kind": "fixed"}
    )
    return {
        "resize": resize,
        "filter": "pillow-lanczos",
        "normalisation": normalise,
        "pad": None,
        "stride": 1,
        "dynamic": True,
    }


def _export(module: ResUNet, path: Path) -> float:
    """Write the network for any size; gives by how much it differs at most."""
    from limner.models.importers.exporting import Conversion, export_checked, sample_tensor

    size = {2: "height", 3: "width"}
    # Odd sizes too: the way up has to meet the sizes of the way down.
    examples = ((sample_tensor(131, 94),), (sample_tensor(96, 128),))
    return export_checked(Conversion(module=module, examples=examples, dynamic={"images": size, "output0": size}), path)
