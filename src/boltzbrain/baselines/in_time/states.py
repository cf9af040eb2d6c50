"""What hidden states are: how often, how long, what they change, and which neurons go together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import Tensor

from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.chain import Chain, Floats
from boltzbrain.model.context.sequences import Sequences

RARE = 0.01
"""States that hold less than this share of the bins are named rare."""
MOST_GROUPS = 8
STARTS, ITERATIONS, NEWTON_STEPS = 5, 100, 3
_WIDEST = 12.0
"""Log-odds beyond which a rate is as good as 0 or 1."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Neurons that change alike over states.

    Attributes
    ----------
    label
        (neuron,) number of its group, the largest group first.
    profile
        (group, state) log-odds of the group in each state; mean 0 and root mean square 1 over
        states, each as often as it is held.
    bic
        For each number of groups from 1, what decided: the lowest.
    """

    label: NDArray[np.int64]
    profile: Floats
    bic: Floats


class WithStates(Protocol):
    """A model of hidden states."""

    @property
    def chain(self) -> Chain:
        """The law of the states."""
        ...

    @property
    def occupancy(self) -> Floats:
        """Share of the training bins that each state holds, (state,)."""
        ...

    @property
    def fields(self) -> Tensor:
        """Log-odds of every neuron in each state, (state, neuron) float64."""
        ...

    def posterior(self, given: Sequences) -> Floats:
        """Return the probability of each state given its whole piece, (bin, state)."""
        ...


def describe_states(model: WithStates, given: Sequences) -> dict[str, Any]:
    """Return what is said of states: their number, occupancy, dwell times, and which are rare.

    Parameters
    ----------
    model
        A model with states.
    given
        Bins to say it of.
    """
    posterior = model.posterior(given)
    occupancy = posterior.mean(axis=0)
    path = posterior.argmax(axis=1)
    stays = int(((np.diff(path) != 0) | (np.diff(given.label) != 0)).sum()) + 1
    visited = np.bincount(path, minlength=len(model.chain))
    entered = np.bincount(path[_enters(path, given)], minlength=len(model.chain))
    seen = [
        float(bins / times) * given.bin_width_s if times else Undefined("no bin is in it")
        for bins, times in zip(visited.tolist(), entered.tolist(), strict=True)
    ]
    return {
        "number": len(model.chain),
        "occupancy": model.occupancy.tolist(),
        "occupancy_test": occupancy.tolist(),
        "dwell_s": (model.chain.dwell_bins() * given.bin_width_s).tolist(),
        "dwell_seen_s": seen,
        "stays": stays,
        "rare": np.flatnonzero(model.occupancy < RARE).tolist(),
        "certainty": float(posterior.max(axis=1).mean()),
    }


def _enters(path: NDArray[np.int64], given: Sequences) -> NDArray[np.bool_]:
    entered = given.begins.copy()
    entered[1:] |= path[1:] != path[:-1]
    return entered


def state_arrays(model: WithStates, given: Sequences) -> dict[str, NDArray[Any]]:
    """Return what is kept of states for figures: posteriors have seen the whole piece.

    Parameters
    ----------
    model
        A model with states.
    given
        The test bins.
    """
    return {
        "states/posterior": model.posterior(given).astype(np.float32),
        "states/rates": torch.sigmoid(model.fields).numpy().astype(np.float32),
        "states/transition": model.chain.transition,
        "states/occupancy": model.occupancy,
    }


def group_neurons(
    active: Floats, bins: Floats, generator: Generator, *, most: int = MOST_GROUPS
) -> Groups:
    """Group neurons by their profile over states, the number of groups by BIC.

    The log-odds of neuron n in state s are beta_n + gamma_n theta_zs, with z its group: a light
    form of the clustering of Wei (ICLR 2024, arXiv 2309.02213), with expected counts as data. Each
    group's profile and each neuron's two numbers climb in turn, each neuron in its best group.

    Parameters
    ----------
    active
        (state, neuron) expected number of active bins.
    bins
        (state,) expected number of bins.
    generator
        Moves on.
    most
        Most groups to try; fewer where there are fewer neurons.
    """
    states, neurons = active.shape
    share = bins / bins.sum()
    # half a spike at the neuron's own rate, so that log-odds are finite
    rates = (active + active.sum(axis=0) / bins.sum()) / (bins[:, None] + 1.0)
    profile = logit(np.clip(rates, expit(-_WIDEST), expit(_WIDEST))).T
    centred = profile - profile @ share[:, None]
    best: tuple[float, NDArray[np.int64], Floats] | None = None
    bics = []
    for number in range(1, min(most, neurons) + 1):
        found = [
            _climb(active, bins, centred, share, number, generator)
            for _ in range(STARTS if number > 1 else 1)
        ]
        score, label, theta = max(found, key=lambda one: one[0])
        # each profile has as many numbers as states, less its mean and its scale
        free = 2 * neurons + number * max(states - 2, 0)
        bic = -2 * score + free * np.log(bins.sum()) + 2 * neurons * np.log(number)
        bics.append(bic)
        if best is None or bic < best[0]:
            best = bic, label, theta
        if len(bics) > 2 and bics[-1] > bics[-2] > bics[-3]:
            break
    assert best is not None
    _, label, theta = best
    order = np.argsort(-np.bincount(label, minlength=len(theta)), kind="stable")
    return Groups(np.argsort(order)[label], theta[order], np.array(bics))


def _climb(
    active: Floats,
    bins: Floats,
    centred: Floats,
    share: Floats,
    number: int,
    generator: Generator,
) -> tuple[float, NDArray[np.int64], Floats]:
    """Return the log-likelihood, labels and profiles of a number of groups from one start."""
    neurons = active.shape[1]
    theta = _unit(centred[generator.permutation(neurons)[:number]], share)
    label = np.full(neurons, -1)
    total = -np.inf
    for _ in range(ITERATIONS):
        fits = [_fit_neurons(active, bins, one) for one in theta]
        values = np.stack([value for _, value in fits])
        new = values.argmax(axis=0)
        score = float(values.max(axis=0).sum())
        if np.array_equal(new, label) and score - total < 1e-6 * abs(total):
            return score, label, theta
        label, total = new, score
        for group in range(number):
            mine = np.flatnonzero(label == group)
            if len(mine):
                gains = fits[group][0][:, mine]
                theta[group] = _fit_profile(active[:, mine], bins, gains, theta[group])
        theta = _unit(theta, share)
    return total, label, theta


def _unit(theta: Floats, share: Floats) -> Floats:
    """Return profiles of mean 0 and root mean square 1, the sign that of the largest entry."""
    theta = theta - theta @ share[:, None]
    size = np.sqrt((theta**2) @ share)
    result: Floats = theta / np.maximum(size, 1e-9)[:, None]
    return result


def _fit_neurons(active: Floats, bins: Floats, theta: Floats) -> tuple[Floats, Floats]:
    """Return beta and gamma of every neuron, (2, neuron), on a profile, and its log-likelihood."""
    mean = active.sum(axis=0) / bins.sum()
    beta = logit(np.clip(mean, expit(-_WIDEST), expit(_WIDEST)))
    gamma = np.zeros_like(beta)
    for _ in range(4 * NEWTON_STEPS):
        odds = beta + gamma * theta[:, None]
        rate = expit(odds)
        left = active - bins[:, None] * rate
        curve = bins[:, None] * rate * (1 - rate)
        # a weak prior keeps neurons with few spikes in bounds
        slope = left.sum(axis=0), theta @ left - gamma
        a, b = curve.sum(axis=0) + 1e-6, theta @ curve
        c = (theta**2) @ curve + 1.0
        size = a * c - b**2
        beta = np.clip(beta + (c * slope[0] - b * slope[1]) / size, -_WIDEST, _WIDEST)
        gamma = np.clip(gamma + (a * slope[1] - b * slope[0]) / size, -_WIDEST, _WIDEST)
    odds = beta + gamma * theta[:, None]
    value = (active * odds - bins[:, None] * np.logaddexp(0, odds)).sum(axis=0) - gamma**2 / 2
    return np.stack((beta, gamma)), value


def _fit_profile(active: Floats, bins: Floats, gains: Floats, theta: Floats) -> Floats:
    """Return the profile of a group given beta and gamma of its neurons, by Newton's steps."""
    beta, gamma = gains
    theta = theta.copy()
    for _ in range(NEWTON_STEPS):
        rate = expit(beta + gamma * theta[:, None])
        slope = (active - bins[:, None] * rate) @ gamma
        curve = (bins[:, None] * rate * (1 - rate)) @ gamma**2 + 1e-3
        theta += np.clip(slope / curve, -1.0, 1.0)
    return theta
