"""The climb of the likelihood of a pairwise model by persistent chains.

Persistent chains (Younes, Probability Theory and Related Fields 82:625, 1989; Tieleman, ICML 2008)
stand in for the model in the gradient. Steps are natural: were activity Gaussian, the Fisher
information of the couplings would take a change X to C X C, C the covariance of the data, so a step
is U [(U^T G U) / (l l^T + penalty)] U^T with C = U diag(l) U^T and G the difference of the
covariances of data and chains, without its diagonal, which no coupling moves. Where chains vary
more than the data along an axis of U, l is what they vary by: steps shrink where the model has run
away from the data. A step by the diagonal alone either creeps along the modes that all neurons
share or blows up along them. A potential of the population count may climb beside, straight between
knots at quantiles of the count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.baselines.pairwise.model import Pairwise, draw_pairwise
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import correlate, mean_states

CHAINS, SWEEPS, UPDATES = 2000, 2, 120
_KNOTS, _DAMPING = 12, 0.02


@dataclass(frozen=True, eq=False)
class Climbed:
    """A model at the end of a climb, and the chains that follow it, (chain, neuron) uint8."""

    model: Pairwise
    chains: Tensor


class _Moments:
    """Covariances of activity around the means of the data, and their natural gradient."""

    def __init__(self, states: Tensor) -> None:
        self.mean = mean_states(states, torch.float64)
        self.covariance = self.of(states)[1]
        values, vectors = torch.linalg.eigh(self.covariance)
        self.values = values.clamp_min(0.5 / len(states))
        self.vectors = vectors.to(torch.float32)

    def of(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return <v> - m, (neuron,), and <(v - m)(v - m)^T>, (neuron, neuron), m of the data."""
        mean = mean_states(states, torch.float64)
        both = correlate(states, states.to(torch.float32)).to(torch.float64) / len(states)
        cross = torch.outer(mean, self.mean)
        return mean - self.mean, both - cross - cross.T + torch.outer(self.mean, self.mean)

    def variances(self, covariance: Tensor) -> Tensor:
        """Return the larger of the variances of data and chains along each axis, (neuron,)."""
        own = (self.vectors * (covariance.to(torch.float32) @ self.vectors)).sum(dim=0)
        return torch.maximum(self.values, own.to(torch.float64))

    def natural(self, slope: Tensor, values: Tensor, penalty: float) -> Tensor:
        """Return the natural gradient of couplings, symmetric with a zero diagonal.

        `values` are variances along the axes, and the diagonal of the slope is left out: with it
        the step is no ascent where the rates of the chains are off.
        """
        slope = slope - slope.diagonal().diag()
        scale = (1 / (torch.outer(values, values) + penalty)).to(torch.float32)
        turned = self.vectors.T @ slope.to(torch.float32) @ self.vectors
        step: Tensor = (self.vectors @ (turned * scale) @ self.vectors.T).to(torch.float64)
        return (0.5 * (step + step.T)).fill_diagonal_(0.0)

    def natural_field(self, slope: Tensor, values: Tensor) -> Tensor:
        """Return the natural gradient of the fields at the mean activity, (neuron,)."""
        vectors = self.vectors.to(torch.float64)
        result: Tensor = vectors @ ((vectors.T @ slope) / values)
        return result


class _Count:
    """A potential of the population count, straight between knots, level beyond them."""

    def __init__(self, states: Tensor) -> None:
        neurons, own = states.shape[1], states.sum(dim=1, dtype=torch.int64)
        places = torch.linspace(0, 1, _KNOTS, dtype=torch.float64)
        knots = np.unique(np.round(torch.quantile(own.to(torch.float64), places).numpy()))
        every = np.arange(neurons + 1)
        columns = [np.interp(every, knots, row) for row in np.eye(len(knots))]
        self.knots = torch.from_numpy(knots.astype(np.int64))
        self.basis = torch.from_numpy(np.stack(columns, axis=1))
        seen = self.basis[own]
        self.target = seen.mean(dim=0)
        centred = seen - self.target
        spread = centred.T @ centred / len(states)
        spread.diagonal().add_(1 / len(states) + _DAMPING / len(knots))
        self.inverse = torch.linalg.inv(spread)

    def natural(self, states: Tensor) -> Tensor:
        """Return the natural gradient of the values at the knots, from chains."""
        found = self.basis[states.sum(dim=1, dtype=torch.int64)].mean(dim=0)
        result: Tensor = self.inverse @ (self.target - found)
        return result


def climb_likelihood(
    start: Pairwise,
    states: NDArray[np.uint8],
    penalty: float,
    generator: Generator,
    *,
    chains: int | Tensor = CHAINS,
    sweeps: int = SWEEPS,
    updates: int = UPDATES,
    rate: float = 0.2,
    final_rate: float = 0.01,
    averaging: float = 0.05,
    count: bool = False,
) -> Climbed:
    """Climb the log-likelihood of all bins - penalty / 2 * sum over pairs J**2 by chains.

    Parameters
    ----------
    start
        Where to start.
    states
        (bin, neuron) uint8 training bins.
    penalty
        See `pseudo_likelihood.PENALTIES`; 0 for none.
    generator
        Moves on.
    chains
        Number of persistent chains, or their states to go on with.
    sweeps
        Single-site sweeps of every chain per update.
    updates, rate, final_rate
        Steps, and the share of a natural-gradient step that one takes: constant over the first
        quarter, then falling geometrically.
    averaging
        Weight of the newest parameters in the moving mean over the second half, which is the
        result.
    count
        Whether a potential of the population count climbs too.
    """
    moments = _Moments(torch.from_numpy(states))
    model, per_bin = start, penalty / len(states)
    if isinstance(chains, int):
        chains = draw_pairwise(model, chains, generator)
    mean, target = moments.mean, moments.covariance
    potential = _Count(torch.from_numpy(states)) if count else None
    averaged: tuple[Tensor, Tensor, Tensor] | None = None
    for update in range(1, updates + 1):
        chains = model.sweep(chains, generator, sweeps)
        shift, covariance = moments.of(chains)
        progress = max(0.0, (update - updates / 4) / (0.75 * updates))
        step = rate * (final_rate / rate) ** progress
        pairs = model.couplings.to(torch.float64)
        # the field at the mean activity moves by itself: what the couplings add to it is taken out
        values = moments.variances(covariance)
        centred = model.field + pairs @ mean - step * moments.natural_field(shift, values)
        slope = target - covariance - per_bin * pairs
        pairs = pairs + step * moments.natural(slope, values, per_bin)
        phi = model.count
        if potential is not None:
            phi = potential.basis @ (phi[potential.knots] + step * potential.natural(chains))
        newest = centred, pairs, phi
        model = _uncentred(*newest, mean)
        if update > updates // 2:
            averaged = newest if averaged is None else _towards(averaged, newest, averaging)
    if averaged is not None:
        model = _uncentred(*averaged, mean)
    return Climbed(model, model.sweep(chains, generator, 5 * sweeps))


def _towards(
    before: tuple[Tensor, Tensor, Tensor], now: tuple[Tensor, Tensor, Tensor], share: float
) -> tuple[Tensor, Tensor, Tensor]:
    field, pairs, count = (a + share * (b - a) for a, b in zip(before, now, strict=True))
    return field, pairs, count


def _uncentred(centred: Tensor, pairs: Tensor, count: Tensor, mean: Tensor) -> Pairwise:
    couplings = pairs.to(torch.float32)
    return Pairwise.of(centred - couplings.to(torch.float64) @ mean, couplings, count)
