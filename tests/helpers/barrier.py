"""Two patterns that no sweep crosses between, and chains that all begin at one of them."""

from __future__ import annotations

import numpy as np
import torch

from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM

NEURONS, UPPER = 24, 0.4


def two_patterns(strength: float) -> RBM:
    """Return a model whose neurons are mostly off, or with probability `UPPER` mostly on."""
    half = torch.tensor(strength / 2, dtype=torch.float64)
    rise = torch.nn.functional.softplus(half) - torch.nn.functional.softplus(-half)
    field = np.log(UPPER / (1 - UPPER)) - NEURONS * float(rise)
    return RBM(
        Bernoulli(torch.full((NEURONS,), -strength / 2)),
        Bernoulli(torch.tensor([field], dtype=torch.float32)),
        torch.full((NEURONS, 1), strength),
    )
