"""Beginning with the weights of another network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from limner.core.errors import BundleError
from limner.training.architectures.protocol import Taken


@torch.no_grad()
def take_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> Taken:
    """Copy the weights that have the name and shape of one of the network's; the others stay as they are.

    Raises `BundleError` where less than half would be taken: that is another kind of network.
    """
    own = network.state_dict()
    fitting = {name: weights[name] for name in own if name in weights and weights[name].shape == own[name].shape}
    parameters = dict(network.named_parameters())
    taken = sum(parameters[name].numel() for name in fitting if name in parameters)
    total = sum(each.numel() for each in parameters.values())
    if taken * 2 < total:
        raise BundleError(
            f"Only {taken:,} of {total:,} parameters fit this network.",
            hint="Begin with a model of the same architecture, or with none.",
        )
    network.load_state_dict(fitting, strict=False)
    return Taken(taken, total, tuple(sorted(name for name in parameters if name not in fitting)))
