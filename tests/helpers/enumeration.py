"""The distribution of a small model by listing its visible states."""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import all_states


def exact_distribution(model: RBM) -> tuple[Tensor, Tensor]:
    """Return every visible state, (state, visible), and its log-probability, (state,) float64."""
    states = all_states(model.visible)
    double = model.to(torch.float64)
    log_weights = -torch.cat([double.free_energy(part) for part in states.split(1 << 14)])
    return states, log_weights - torch.logsumexp(log_weights, dim=0)
