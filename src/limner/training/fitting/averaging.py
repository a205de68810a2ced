"""The moving average of a network's weights, which answers better than the weights of any one step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """Keeps ``average ← decay · average + (1 − decay) · weights``, with a lower decay while it is young."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._steps = 0
        self._state = {name: each.detach().clone() for name, each in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """After each step."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps)) if self._decay else 0.0
        floats, news = [], []
        for name, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                floats.append(self._state[name])
                news.append(value.detach())
            else:  # counters
                self._state[name].copy_(value)
        torch._foreach_lerp_(floats, news, 1 - decay)

    def state(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return self._state

    def saved(self) -> dict[str, object]:
        """All that `restore` needs."""
        return {"steps": self._steps, "state": self._state}

    def restore(self, saved: Mapping[str, object]) -> None:
        """Go on from `saved`."""
        self._steps = int(saved["steps"])  # type: ignore[call-overload]
        for name, value in saved["state"].items():  # type: ignore[attr-defined]
            self._state[name].copy_(value)
