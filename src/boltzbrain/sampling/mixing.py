"""How well chains mix: autocorrelation time, effective sample size and split R-hat.

A series is (chain, step): one number per chain and sweep, e.g. the free energy, the population
count or the activity of a hidden unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from boltzbrain.foundations.autocorrelation import lagged_products, windowed_sum
from boltzbrain.foundations.checks import bad_input, whole_number_in
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains, advance

_LEAST_STEPS = 8


@dataclass(frozen=True)
class Mixing:
    """The diagnosis of one series.

    Attributes
    ----------
    autocorrelation_time
        Integrated autocorrelation time in steps, 1/2 for independent steps; None if undefined.
    effective_samples
        Number of independent samples that would give the mean as precisely; None if undefined.
    r_hat
        Split R-hat, near 1 for chains that agree; None if undefined.
    reason
        Why a figure is undefined, or None.
    """

    autocorrelation_time: float | None
    effective_samples: float | None
    r_hat: float | None
    reason: str | None = None


def _series(values: ArrayLike) -> NDArray[np.float64]:
    """Return a series as float64 (chain, step)."""
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 2 or series.shape[0] < 1 or series.shape[1] < _LEAST_STEPS:
        raise bad_input(
            "series", f"have shape (chain, step) with at least {_LEAST_STEPS} steps", series.shape
        )
    if not np.isfinite(series).all():
        raise bad_input("series", "be finite", "NaN or infinity")
    return series


def autocovariance(values: ArrayLike) -> NDArray[np.float64]:
    """Return the autocovariance of each chain about its own mean, (chain, lag).

    Sums are divided by the number of steps, not by that of the terms, which keeps the matrix of
    covariances positive.

    Raises
    ------
    InputError
        If the series is too short or not finite.
    """
    series = _series(values)
    products = lagged_products(series - series.mean(axis=1, keepdims=True))
    products /= series.shape[1]
    return products


def split_r_hat(values: ArrayLike) -> float | None:
    """Return split R-hat of a series, None if it is constant.

    Each chain is cut into halves; R-hat is the square root of the pooled variance over the mean
    variance within halves (Gelman et al., Bayesian Data Analysis, 3rd edition, section 11.4).

    Raises
    ------
    InputError
        If the series is too short or not finite.
    """
    series = _series(values)
    half = series.shape[1] // 2
    parts = np.concatenate([series[:, :half], series[:, -half:]])
    within = float(parts.var(axis=1, ddof=1).mean())
    between = float(parts.mean(axis=1).var(ddof=1))
    if within == 0:
        return None if between == 0 else math.inf
    return math.sqrt((half - 1) / half + between / within)


def integrated_time(values: ArrayLike) -> float | None:
    """Return the integrated autocorrelation time in steps, None if the series is constant.

    The window is that of `foundations.autocorrelation`. The autocorrelation is
    1 - (w - c(t)) / p with w the mean variance within chains, c(t) the mean autocovariance and p
    the pooled variance, so that chains which disagree show a long time (Gelman et al., Bayesian
    Data Analysis, 3rd edition, section 11.5). Independent steps give 1/2.

    Raises
    ------
    InputError
        If the series is too short or not finite.
    """
    series = _series(values)
    chains, steps = series.shape
    covariance = autocovariance(series).mean(axis=0)
    within = covariance[0] * steps / (steps - 1)
    between = float(series.mean(axis=1).var(ddof=1)) if chains > 1 else 0.0
    pooled = within * (steps - 1) / steps + between
    if pooled == 0:
        return None
    correlation = 1 - (within - covariance * steps / (steps - 1)) / pooled
    return windowed_sum(correlation)


def diagnose(values: ArrayLike) -> Mixing:
    """Return the diagnosis of a series, (chain, step).

    Raises
    ------
    InputError
        If the series is too short or not finite.
    """
    series = _series(values)
    time = integrated_time(series)
    if time is None:
        return Mixing(None, None, None, "the series is constant")
    # anticorrelated steps may be worth more than independent ones, but not more than twice
    count = min(series.size / (2 * max(time, 1e-9)), 2.0 * series.size)
    r_hat = split_r_hat(series)
    if r_hat is None or math.isinf(r_hat):
        return Mixing(time, count, None, "every chain is constant")
    return Mixing(time, count, r_hat)


def diagnose_states(model: RBM, states: Sequence[Tensor]) -> dict[str, Mixing]:
    """Return how the chains of a model mix, from their visible states step by step.

    Parameters
    ----------
    model
        The model that the states come from.
    states
        At least 8 steps of (chain, visible) states.

    Returns
    -------
    dict
        "energy" (the free energy), "population_count" (the sum of the visible units) and "hidden":
        the hidden unit, by its mean given the visible ones, that has the fewest effective samples.
        Energy and count do not see an exchange of modes that are alike in both.

    Raises
    ------
    InputError
        If there are too few steps.
    """
    energy = torch.stack([model.free_energy(step) for step in states], dim=1)
    count = torch.stack([step.sum(dim=1, dtype=torch.float64) for step in states], dim=1)
    hidden = torch.stack([model.mean_hidden(step) for step in states], dim=2).transpose(0, 1)
    units = [diagnose(unit) for unit in hidden.cpu().numpy()]
    return {
        "energy": diagnose(energy.cpu().numpy()),
        "population_count": diagnose(count.cpu().numpy()),
        "hidden": min(
            units,
            key=lambda unit: math.inf if unit.effective_samples is None else unit.effective_samples,
        ),
    }


def independent_samples(mixing: Mapping[str, Mixing], samples: int) -> float | None:
    """Return the fewest effective samples of any series, at most `samples`; None if undefined."""
    known = [one.effective_samples for one in mixing.values() if one.effective_samples is not None]
    return min(*known, float(samples)) if known else None


def diagnose_chains(model: RBM, chains: Chains, steps: int) -> tuple[Chains, dict[str, Mixing]]:
    """Sweep chains and return how they mix.

    Parameters
    ----------
    model
        The model.
    chains
        Where to start, best in equilibrium; left as they are.
    steps
        Number of sweeps, at least 8.

    Returns
    -------
    chains
        The chains after the last sweep.
    mixing
        As `diagnose_states` gives it.

    Raises
    ------
    InputError
        If `steps` is below 8.
    """
    whole_number_in("steps", steps, low=_LEAST_STEPS)
    states = []
    for _ in range(steps):
        chains = advance(model, chains, 1)
        states.append(chains.visible)
    return chains, diagnose_states(model, states)
