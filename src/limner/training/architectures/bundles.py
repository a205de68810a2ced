"""What training writes: a bundle to be served, with its weights in the form that training goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from limner import __version__
from limner.models.bundle import Bundle, make_bundle
from limner.models.bundle_files import TRAINING, write_bundle
from limner.models.importers.exporting import Conversion, export_checked
from limner.training.config import RunConfig


def write_trained(
    folder: Path,
    config: RunConfig,
    labels: Sequence[str],
    conversion: Conversion,
    fields: Mapping[str, object],
    network: nn.Module,
) -> Bundle:
    """Write a bundle into an empty folder; ``fields`` are those of the network's kind.

    Raises `BundleError` where the exported network answers otherwise than the one that was trained.
    """
    from safetensors.torch import save_file

    export_checked(conversion, folder / "model.onnx")
    state = {name: each.detach().cpu().contiguous() for name, each in network.state_dict().items()}
    save_file(state, folder / TRAINING, metadata={"architecture": config.architecture})
    provenance = {
        "source": f"limner train {config.dataset} --arch {config.architecture}",
        "training_data": config.dataset,
        "converter": f"limner {__version__}",
    }
    known = {"name": config.name, "labels": tuple(labels), "provenance": provenance}
    return write_bundle(make_bundle({**known, **fields}), folder)
