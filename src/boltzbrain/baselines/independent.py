"""Independent neurons: what a gain is counted from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus

from boltzbrain.baselines.protocol import Baseline, Fit
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import draw_bernoulli, sum_active_rows
from boltzbrain.model.independent import independent_field


@dataclass(frozen=True, eq=False)
class Independent(Baseline):
    """Every neuron at its own rate.

    Attributes
    ----------
    field
        (neuron,) float64 log-odds of a spike.
    """

    name: ClassVar[str] = "independent"
    title: ClassVar[str] = "independent"
    gives: ClassVar[frozenset[str]] = frozenset(
        {"log_likelihood", "conditional", "reconstruction", "samples", "couplings"}
    )

    field: Tensor

    def log_likelihood(self, states: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return log P(v) of every bin, exact, (bin,) nats."""
        log_partition = float(softplus(self.field, threshold=80.0).sum())
        single = sum_active_rows(torch.from_numpy(states), self.field[:, None])[:, 0]
        result: NDArray[np.float64] = (single - log_partition).numpy()
        return result

    def conditional(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the fields for every bin, (bin, neuron)."""
        return np.tile(self.field.to(torch.float32).numpy(), (len(states), 1))

    def reconstruction(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the fields for every bin, (bin, neuron)."""
        return self.conditional(states)

    def samples(self, n: int, generator: Generator) -> NDArray[np.uint8]:
        """Return independent states (n, neuron)."""
        zeros, field = torch.zeros((n, len(self.field))), self.field.to(torch.float32)
        result: NDArray[np.uint8] = draw_bernoulli(
            zeros, field, generator.key, generator.take()
        ).numpy()
        return result

    def couplings(self) -> Tensor:
        """Return zeros, (neuron, neuron)."""
        return torch.zeros((len(self.field), len(self.field)))


def fit_independent(
    train: NDArray[np.uint8], validation: NDArray[np.uint8], generator: Generator
) -> Independent:
    """Take the rates of the training bins, with half a spike and half a silent bin added."""
    started = time.monotonic()
    field = independent_field(torch.from_numpy(train))
    fit = Fit("rates of the training bins", 0, time.monotonic() - started, {})
    return Independent(fit, field)
