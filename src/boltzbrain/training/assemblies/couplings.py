"""Couplings that shared neurons put between hidden units, and the small weights that undo them.

Two assemblies that share neurons favour each other in a model of plain weights: with
S = sum_i softplus(inputs), S(both) - S(one) - S(other) + S(none) is above 0, .8 nats a pair at
40,000 neurons, whatever the data say. Weights are therefore a product W = D (I + C) of members D
(neuron, unit), sparse, and a small matrix C (unit, unit): switching unit a also moves the members
of every other unit b by C_ba of what b itself would, so that both come out independent, or as
dependent as their bins are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from boltzbrain.foundations.autocorrelation import lagged_products

Floats = NDArray[np.float64]

_STEP = 0.8
"""Share of a coupling that a round takes back."""
_FALSE = 0.05
"""Share of false ones among the couplings that the data are asked for."""
_LAGS = 0.1
"""Lags over which the memory of two units is summed, as a share of the bins."""


def pair_couplings(off: Floats, rises: Floats, shares: Floats) -> Floats:
    """Return S(both on) - S(one) - S(other) + S(none) of each pair, all others off.

    Parameters
    ----------
    off
        (neuron,) log-odds with every unit off.
    rises
        (neuron, unit) by how much a unit raises the log-odds of its members; 0 elsewhere.
    shares
        (unit, unit): the share [b, a] of the rise by unit b that unit a brings along; C above in
        units of the rises.

    Returns
    -------
    ndarray
        (unit, unit), symmetric, 0 on the diagonal.
    """
    units = rises.shape[1]
    members = [np.flatnonzero(rises[:, unit]) for unit in range(units)]
    found = np.zeros((units, units))
    for first in range(units):
        for second in range(first):
            where = np.union1d(members[first], members[second])
            x, one, other = off[where], rises[where, first], rises[where, second]
            by_one = one + other * shares[second, first]
            by_other = other + one * shares[first, second]
            total = _softplus(x + by_one + by_other) + _softplus(x)
            total -= _softplus(x + by_one) + _softplus(x + by_other)
            found[first, second] = found[second, first] = total.sum()
    return found


def correction(off: Floats, rises: Floats, shares: Floats, wanted: Floats) -> Floats:
    """Return what is added to the shares to bring the couplings nearer to those wanted.

    Parameters
    ----------
    off, rises, shares
        As of `pair_couplings`.
    wanted
        (unit, unit) couplings that the data have.
    """
    x = off[:, None] + rises
    lift = (rises * (expit(x) - expit(off)[:, None])).sum(axis=0)
    pair = lift[:, None] + lift[None, :]
    change = -_STEP * (pair_couplings(off, rises, shares) - wanted) / np.maximum(pair, 1e-9)
    np.fill_diagonal(change, 0.0)
    return np.asarray(change)


def couplings_of_bins(on: NDArray[np.bool_]) -> Floats:
    """Return the log odds ratio of the on-bins of each pair where it is certain, else 0.

    Assemblies stay on for many bins, so that two that are independent share more bins, or fewer,
    than bins alone would let expect: the variance of the ratio is longer by the sum over lags of
    the product of both autocorrelations (Bartlett, J. R. Stat. Soc. Suppl. 8:27, 1946). Of the
    pairs that are certain, 5 % are expected to be false (Benjamini and Hochberg, J. R. Stat. Soc. B
    57:289, 1995).

    Parameters
    ----------
    on
        (bin, unit).
    """
    x, bins = on.astype(np.float64), len(on)
    both = x.T @ x + 0.5
    count = x.sum(axis=0)
    one = count[:, None] - x.T @ x + 0.5
    neither = bins + 2.0 - both - one - one.T
    ratio = np.log(both * neither / (one * one.T))
    error = np.sqrt((1 / both + 1 / one + 1 / one.T + 1 / neither) * _common_memory(x))
    result = np.zeros_like(ratio)
    pairs = np.triu_indices(len(ratio), 1)
    if len(pairs[0]):
        # scipy.stats takes a third of a second, which no other command should wait for
        from scipy.stats import false_discovery_control

        chance = 2.0 * ndtr(-np.abs(ratio / error)[pairs])
        result[pairs] = np.where(false_discovery_control(chance) < _FALSE, ratio[pairs], 0.0)
    return np.asarray(result + result.T)


def _common_memory(x: Floats) -> Floats:
    """Return how many bins in a row count as one for a product of two units, (unit, unit)."""
    lags = max(1, round(_LAGS * len(x)))
    products = lagged_products((x - x.mean(axis=0)).T)[:, : lags + 1]
    correlation = products[:, 1:] / np.maximum(products[:, :1], 1e-9)
    return np.asarray(np.maximum(1.0 + 2.0 * correlation @ correlation.T, 1.0))


def _softplus(x: Floats) -> Floats:
    return np.logaddexp(0.0, x)
