"""Networks that were pickled whole: their weights, and whether our rebuilding is the same network.

A torch module pickles as a record with tables ``_parameters``, ``_buffers`` and ``_modules``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from limner.core.errors import CheckpointError
from limner.models.pickles.values import Opaque

if TYPE_CHECKING:
    import torch

_DEEPEST = 24
#: What has to be the same in a layer, beyond its weights.
_SETTINGS = {
    "Conv2d": ("stride", "padding", "dilation", "groups"),
    "ConvTranspose2d": ("stride", "padding", "dilation", "groups", "output_padding"),
    "MaxPool2d": ("kernel_size", "stride", "padding", "ceil_mode"),
    "Upsample": ("scale_factor", "mode", "align_corners"),
    "LeakyReLU": ("negative_slope",),
    "Bottleneck": ("add",),
    "PSABlock": ("add",),
    "Attention": ("num_heads", "key_dim", "head_dim", "scale"),
    "Concat": ("d",),
}


def children(record: Opaque) -> dict[str, Opaque]:
    """The layers inside a module."""
    modules = record.get("_modules")
    if not isinstance(modules, Mapping):
        return {}
    return {str(name): each for name, each in modules.items() if isinstance(each, Opaque)}


def walk(record: Opaque, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Opaque]]:
    """A module and all layers inside it, by their dotted names."""
    if depth > _DEEPEST:
        raise CheckpointError("The layers of the network are nested too deeply.")
    yield prefix, record
    for name, each in children(record).items():
        yield from walk(each, f"{prefix}.{name}" if prefix else name, depth + 1)


def weights_of(record: Opaque) -> dict[str, torch.Tensor]:
    """Parameters and buffers of a module, as its ``state_dict`` would name them."""
    import torch

    out: dict[str, torch.Tensor] = {}
    for prefix, each in walk(record):
        passing = each.get("_non_persistent_buffers_set") or ()
        for kind in ("_parameters", "_buffers"):
            table = each.get(kind)
            for name, tensor in table.items() if isinstance(table, Mapping) else ():
                if isinstance(tensor, torch.Tensor) and name not in passing:  # type: ignore[operator]
                    out[f"{prefix}.{name}" if prefix else str(name)] = tensor
    return out


def take_settings(module: torch.nn.Module, record: Opaque) -> None:
    """See that a rebuilt network is layer by layer the one in the record; raises `CheckpointError` where not.

    The small number that normalisations add before they divide is taken over: programs set it afterwards.
    """
    records = dict(walk(record))
    ours = dict(module.named_modules())
    if odd := sorted(set(ours) ^ set(records)):
        raise CheckpointError(f"The network has other layers than its description says: {', '.join(odd[:5])}.")
    for name, layer in ours.items():
        theirs = records[name]
        epsilon = theirs.get("eps")
        if theirs.kind == "BatchNorm2d" and isinstance(epsilon, float):
            layer.eps = epsilon
        if _is_leaf(theirs) and type(layer).__name__ != theirs.kind:
            raise CheckpointError(f"The layer {name} is a {theirs.name}, and a {type(layer).__name__} was expected.")
        for setting in _SETTINGS.get(theirs.kind, ()):
            own, wanted = getattr(layer, setting, None), theirs.get(setting)
            if setting in theirs.state and own != wanted and not _same_pair(own, wanted):
                raise CheckpointError(f"The layer {name} ({theirs.kind}) has {setting} {wanted}, not {own}.")


def _is_leaf(record: Opaque) -> bool:
    return record.name.startswith("torch.nn.")


def _same_pair(one: object, other: object) -> bool:
    """Whether a number and a pair mean the same."""
    pairs = [tuple(each) if isinstance(each, list | tuple) else (each, each) for each in (one, other)]
    return pairs[0] == pairs[1]
