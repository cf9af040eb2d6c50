"""A half-line of rectified units, as formulas: what their kernels are specified by."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from boltzbrain.foundations.numerics import half_normal, log_psi


class Half(NamedTuple):
    """One half-line h >= 0 with weight exp(-precision h**2 / 2 + total h), in float64.

    In units of h's width 1 / sqrt(precision) it is `numerics`' half-normal law at
    x = -total / sqrt(precision).
    """

    x: Tensor
    root: Tensor

    @classmethod
    def of(cls, total: Tensor, precision: Tensor) -> Half:
        """Take total input and precision of units."""
        root = precision.to(torch.float64).sqrt()
        return cls(-total / root, root)

    def log_partition(self) -> Tensor:
        """Return the logarithm of the integral of the weight."""
        return log_psi(self.x) - torch.log(self.root)

    def moments(self) -> HalfMoments:
        """Return log-partition, mean and variance."""
        law = half_normal(self.x)
        return HalfMoments(
            law.log_psi - torch.log(self.root),
            law.mean / self.root,
            law.variance / (self.root * self.root),
        )


class HalfMoments(NamedTuple):
    """Log-partition, mean and variance of a half-line, in float64."""

    log_partition: Tensor
    mean: Tensor
    variance: Tensor

    @property
    def square(self) -> Tensor:
        """<h**2>."""
        return self.variance + self.mean * self.mean
