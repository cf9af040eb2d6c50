"""States to start from: a hidden Markov model of Gaussians along the axes of greatest variance.

Independent neurons tell states by their rates alone. A Gaussian with a covariance of its own in
every state tells them by what goes together, too, so that states of equal rates and different
couplings start apart. It is exact and quick, and what it takes for states is only where the
training begins.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.sparse.linalg import LinearOperator, eigsh

from boltzbrain.baselines.in_time.hmm import SETTLED, law_of
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import correlate, sum_active_rows
from boltzbrain.model.context.chain import Chain, Floats, Smoothed, smoothed
from boltzbrain.model.context.sequences import Sequences

AXES, LARGE = 30, 2000
"""Axes at most, and neurons above which no matrix of all of them is formed."""
STAY, BLOCK = 0.95, 10
"""Probability to stay at the start, and bins of the blocks that states are drawn for."""
HELD = 5
"""Iterations that hold that probability: else states soon switch with every burst."""
STARTS, ITERATIONS = 6, 60


def seek_states(given: Sequences, states: int, generator: Generator) -> tuple[Chain, Floats]:
    """Return a law of states, and the probability of each given its piece, (bin, state).

    The most occupied state is the first.

    Parameters
    ----------
    given
        The training bins.
    states
        Their number.
    generator
        Moves on.
    """
    values = components_of(given)
    found = [_climb(values, given, states, generator) for _ in range(STARTS if states > 1 else 1)]
    chain, best = max(found, key=lambda one: float(one[1].score.sum()))
    order = np.argsort(-best.posterior.sum(axis=0), kind="stable")
    return chain.reordered(order), np.ascontiguousarray(best.posterior[:, order])


def components_of(given: Sequences) -> Floats:
    """Return the states along their axes of greatest variance, (bin, axis), of variance 1 each.

    Neurons are in units of their own spread.
    """
    states = torch.from_numpy(given.states)
    bins, neurons = states.shape
    rates = torch.from_numpy(given.states.mean(axis=0, dtype=np.float64))
    spread = (rates * (1 - rates)).clamp_min(1.0 / bins).sqrt()
    count = min(AXES, neurons)

    def along(axes: torch.Tensor) -> torch.Tensor:
        """Return standardised states along axes in their units, (bin, axis)."""
        turned = axes / spread[:, None]
        return sum_active_rows(states, turned) - rates @ turned

    def back(values: torch.Tensor) -> torch.Tensor:
        moved = correlate(states, values) - torch.outer(rates, values.sum(dim=0))
        return moved / spread[:, None] / bins

    if neurons > LARGE:
        operator = LinearOperator(
            (neurons, neurons),
            lambda one: back(along(torch.from_numpy(one.reshape(-1, 1)).contiguous())).numpy(),
            dtype=np.dtype(np.float64),
        )
        # a start that is given, as ARPACK would draw one
        sizes, axes = eigsh(operator, count, v0=np.ones(neurons), tol=1e-4)
    else:
        covariance = back(along(torch.eye(neurons, dtype=torch.float64))).numpy()
        sizes, axes = np.linalg.eigh((covariance + covariance.T) / 2)
        sizes, axes = sizes[-count:], axes[:, -count:]
    kept = sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1.0)
    found = along(torch.from_numpy(np.ascontiguousarray(axes[:, kept]))).numpy()
    result: Floats = found / np.sqrt(sizes[kept])
    return result


def _climb(
    values: Floats, given: Sequences, states: int, generator: Generator
) -> tuple[Chain, Smoothed]:
    """Return law and probabilities of states from one start."""
    drawn = _blocks(given, states, generator)
    posterior = np.zeros((len(drawn), states))
    posterior[np.arange(len(drawn)), drawn] = 1.0
    leave = (1.0 - STAY) / max(states - 1, 1)
    chain = Chain(np.full(states, 1.0 / states), leave + (1.0 - leave * states) * np.eye(states))
    last, found = -np.inf, Smoothed(np.empty(0), posterior, np.empty((0, 0)))
    for iteration in range(ITERATIONS):
        found = smoothed(chain, _gaussian(values, found.posterior), given.edges)
        here = float(found.score.sum())
        if here - last < SETTLED * abs(here) and iteration > HELD:
            break
        last = here
        if iteration >= HELD:
            chain = law_of(found, given.edges)
    return chain, found


def _blocks(given: Sequences, states: int, generator: Generator) -> NDArray[np.int64]:
    """Draw a state for every block of bins, (bin,)."""
    number = np.cumsum(given.place % BLOCK == 0) - 1
    drawn: NDArray[np.int64] = generator.integers(states, int(number[-1]) + 1)[number]
    return drawn


def _gaussian(values: Floats, posterior: Floats) -> Floats:
    """Return the log-density of the Gaussian of each state but a constant, (bin, state).

    Means and covariances are drawn to 0 and 1 by as many bins as there are axes, and two.
    """
    axes = values.shape[1]
    prior, result = axes + 2.0, np.empty(posterior.shape)
    for state, weight in enumerate(posterior.T):
        held = weight.sum() + prior
        mean = weight @ values / held
        apart = values - mean
        squares = (apart * weight[:, None]).T @ apart + prior * np.eye(axes)
        root = cholesky((squares + prior * np.outer(mean, mean)) / held, lower=True)
        scaled = solve_triangular(root, apart.T, lower=True)
        result[:, state] = -0.5 * np.square(scaled).sum(axis=0) - np.log(np.diag(root)).sum()
    return result
