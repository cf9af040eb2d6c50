"""The importance weight between two models, on which every ladder and estimate is built."""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.model.rbm import RBM


def log_weight(start: RBM, stop: RBM, visible: Tensor) -> Tensor:
    """Return F_start(v) - F_stop(v), (chain,) float64.

    Parameters
    ----------
    start, stop
        Models of equal kinds and sizes.
    visible
        (chain, visible) states.
    """
    before, after = start.visible.parameters(), stop.visible.parameters()
    result = torch.zeros(len(visible), dtype=torch.float64, device=visible.device)
    if any(after[name] is not value for name, value in before.items()):
        # energies are linear in the parameters, so their difference is one energy
        change = {name: value - after[name] for name, value in before.items()}
        result += start.visible.with_parameters(change).energy(visible)
    for model, sign in ((start, -1.0), (stop, 1.0)):
        gamma = model.hidden.log_partition(model.inputs_to_hidden(visible))
        result += sign * gamma.to(torch.float64).sum(dim=1)
    return result
