"""Beginning with the weights of another network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

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


class Staged(nn.Module):
    """A `Learner` with one network, whose first stages can be kept as they are."""

    #: What learns; its weights are what a bundle keeps.
    network: nn.Module

    def stages(self) -> Sequence[nn.Module]:
        """The stem of the backbone, then its stages."""
        raise NotImplementedError

    def take(self, weights: Mapping[str, Tensor]) -> Taken:
        """Begin with the weights of another network of this kind; raises `BundleError` where too few fit."""
        return take_weights(self.network, weights)

    def freeze(self, stages: int) -> None:
        """Keep the stem and the first stages as they are, their statistics of batches too."""
        self._kept = list(self.stages()[: stages + 1]) if stages else []
        for part in self._kept:
            part.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """torch's, but for the parts that stay as they are."""
        super().train(mode)
        for part in getattr(self, "_kept", ()):
            part.eval()
        return self
