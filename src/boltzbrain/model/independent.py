"""The independent model of recorded activity, the foot of every ladder and the zero of a gain."""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.kernels.dispatch import mean_states


def independent_field(states: Tensor) -> Tensor:
    """Return the fields of the independent model with the rates of the states, (unit,) float64.

    The rate of a neuron active in n of T bins is (n + 1/2) / (T + 1), Jeffreys' estimate, so that a
    silent neuron has a finite field.
    """
    # torch's own sum would first make an int64 copy of the states, 8 times their size
    active = (mean_states(states, torch.float64) * len(states)).round()
    return torch.logit((active + 0.5) / (len(states) + 1.0))
