"""How far samples are from the law of a small model."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from boltzbrain.model.rbm import RBM
from helpers.enumeration import exact_distribution


def distance_over_floor(model: RBM, visible: Tensor) -> float:
    """Total variation between samples and the exact law, over what exact samples would have."""
    _, log_probability = exact_distribution(model)
    probability = log_probability.exp()
    units = visible.shape[1]
    place = 2 ** torch.arange(units - 1, -1, -1)
    number = ((visible > 0).to(torch.int64) * place).sum(dim=1)
    counts = torch.bincount(number, minlength=2**units).to(torch.float64)
    distance = 0.5 * float((counts / len(visible) - probability).abs().sum())
    spread = (probability * (1 - probability) / len(visible)).sqrt()
    return distance / (0.5 * math.sqrt(2 / math.pi) * float(spread.sum()))
